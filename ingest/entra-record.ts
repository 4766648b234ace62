/** The shape of Microsoft Entra's diagnostic records: one envelope, and the properties of four kinds of log in one. */
import { z } from 'zod'

const text = z.string().nullish()
const moment = z.union([z.string(), z.number()]).nullish()
const scalar = z.union([z.string(), z.number()]).nullish()

const target = z.object({
  id: text,
  displayName: text,
  type: text,
  modifiedProperties: z.array(z.object({ displayName: text, newValue: text }).nullish()).nullish(),
})

const properties = z.object({
  id: text,
  createdDateTime: moment,
  activityDateTime: moment,
  timeGenerated: moment,
  tenantId: text,
  // sign-in
  appId: text,
  servicePrincipalId: text,
  servicePrincipalName: text,
  servicePrincipalCredentialKeyId: text,
  servicePrincipalCredentialThumbprint: text,
  federatedCredentialId: text,
  clientCredentialType: text,
  uniqueTokenIdentifier: text,
  managedIdentityType: text,
  resourceDisplayName: text,
  resourceId: text,
  userId: text,
  sessionId: text,
  authenticationProtocol: text,
  ipAddress: text,
  userAgent: text,
  correlationId: text,
  status: z.object({ errorCode: scalar }).nullish(),
  // audit
  activityDisplayName: text,
  operationName: text,
  result: text,
  resultReason: text,
  loggedByService: text,
  category: text,
  initiatedBy: z
    .object({
      user: z.object({ id: text, userPrincipalName: text, ipAddress: text }).nullish(),
      app: z.object({ servicePrincipalId: text, appId: text, displayName: text }).nullish(),
    })
    .nullish(),
  targetResources: z.array(target.nullish()).nullish(),
  // Microsoft Graph
  requestId: text,
  requestMethod: text,
  requestUri: text,
  responseStatusCode: scalar,
  responseSizeBytes: z.number().nullish(),
  signInActivityId: text,
  clientAuthMethod: scalar,
  scopes: text,
  roles: text,
})

/** Some collectors write the names of the envelope in lower case: both spellings are read. */
export const entraRecord = z.object({
  category: z.string(),
  time: moment,
  tenantId: text,
  tenantid: text,
  resourceId: text,
  resourceid: text,
  operationName: text,
  operationname: text,
  resultType: scalar,
  resulttype: scalar,
  callerIpAddress: text,
  calleripaddress: text,
  correlationId: text,
  properties,
})

export type EntraRecord = z.infer<typeof entraRecord>
export type EntraProperties = EntraRecord['properties']
export type EntraTarget = z.infer<typeof target>

/** What every activity of a record has in common, whatever its category. */
export interface Frame {
  readonly tenant: string
  readonly eventId: string
  readonly time: number
  readonly origin: string | undefined
}

/** Only the entries that say something, cut to the length of a detail. */
export function named(entries: Readonly<Record<string, string | null | undefined>>): Record<string, string> {
  const details: Record<string, string> = {}
  for (const [name, value] of Object.entries(entries)) if (value) details[name] = value.slice(0, 512)
  return details
}
