import type { Draft } from '../activity.ts'
import { directoryChange } from '../entra-directory.ts'
import { graphCall } from '../entra-graph.ts'
import { machine, user } from '../entra-identity.ts'
import { type EntraProperties, type EntraRecord, entraRecord, type Frame, named } from '../entra-record.ts'
import { isJsonObject } from '../json-values.ts'
import { accepted, dead } from '../outcome.ts'
import { defineSource, type JsonObject, type Sample } from '../source.ts'
import { parseTime } from '../time.ts'

const SIGN_IN: ReadonlyMap<string, 'service-principal' | 'managed-identity' | 'user'> = new Map([
  ['ServicePrincipalSignInLogs', 'service-principal'],
  ['ManagedIdentitySignInLogs', 'managed-identity'],
  ['SignInLogs', 'user'],
  ['NonInteractiveUserSignInLogs', 'user'],
])

const record = (category: string, properties: JsonObject, rest: JsonObject = {}): JsonObject => ({
  time: '2026-03-02T08:15:40Z',
  category,
  tenantId: 't-1',
  resultType: '0',
  callerIpAddress: '192.0.2.10',
  properties: { id: 'e-1', createdDateTime: '2026-03-02T08:15:30.1234567Z', ...properties },
  ...rest,
})

const samples: readonly Sample[] = [
  {
    name: 'service principal signs in with a certificate',
    record: record('ServicePrincipalSignInLogs', {
      servicePrincipalId: 'sp-1',
      servicePrincipalName: 'billing',
      appId: 'app-1',
      servicePrincipalCredentialKeyId: 'key-1',
      clientCredentialType: 'certificate',
      uniqueTokenIdentifier: 'token-1',
      resourceDisplayName: 'Microsoft Graph',
      resourceId: 'r-1',
      ipAddress: '192.0.2.10',
      status: { errorCode: 0 },
    }),
    expect: {
      outcome: 'accepted',
      draft: {
        eventId: 'e-1',
        'identity.id': 'entra:t-1:sp:sp-1',
        'identity.kind': 'client',
        'identity.human': 'no',
        class: 'authentication',
        action: 'sign-in',
        service: 'Microsoft Graph',
        outcome: 'success',
        credential: 'key-1',
        authMethod: 'certificate',
        session: 'token-1',
        origin: '192.0.2.10',
        'details.appId': 'app-1',
        time: 1_772_439_330_123,
      },
    },
  },
  {
    name: 'wrong secret; the result is a number, the envelope in lower case',
    record: {
      time: '2026-03-02 08:15:40.5',
      category: 'ServicePrincipalSignInLogs',
      tenantid: 't-1',
      resulttype: 7_000_215,
      calleripaddress: '198.51.100.9',
      properties: { id: 'e-2', servicePrincipalId: 'sp-1', clientCredentialType: 'clientSecret' },
    },
    expect: {
      outcome: 'accepted',
      draft: {
        'identity.id': 'entra:t-1:sp:sp-1',
        outcome: 'denied',
        errorCode: '7000215',
        authMethod: 'client-secret',
        origin: '198.51.100.9',
      },
    },
  },
  {
    name: 'managed identity',
    record: record('ManagedIdentitySignInLogs', {
      servicePrincipalId: 'sp-2',
      clientCredentialType: 'managedIdentity',
    }),
    expect: {
      outcome: 'accepted',
      draft: {
        'identity.id': 'entra:t-1:sp:sp-2',
        'identity.kind': 'workload',
        authMethod: 'managed-identity',
      },
    },
  },
  {
    name: 'person',
    record: record('SignInLogs', { userId: 'u-1', userAgent: 'Mozilla/5.0', sessionId: 's-1' }),
    expect: {
      outcome: 'accepted',
      draft: { 'identity.id': 'entra:t-1:user:u-1', 'identity.human': 'yes', session: 's-1' },
    },
  },
  {
    name: 'an unknown name: nobody',
    record: record('SignInLogs', { userId: '00000000-0000-0000-0000-000000000000' }, { resultType: '50034' }),
    expect: {
      outcome: 'accepted',
      draft: { 'identity.id': 'entra:t-1:anonymous', 'identity.kind': 'anonymous', outcome: 'denied' },
    },
  },
  {
    name: 'an app gives another app a secret',
    record: record('AuditLogs', {
      activityDisplayName: 'Add service principal credentials',
      result: 'success',
      initiatedBy: { app: { servicePrincipalId: 'sp-1', displayName: 'billing' } },
      targetResources: [
        {
          id: 'sp-9',
          type: 'ServicePrincipal',
          modifiedProperties: [
            {
              displayName: 'KeyDescription',
              newValue: '["[KeyIdentifier=key-9,KeyType=Password,KeyUsage=Verify]"]',
            },
          ],
        },
      ],
    }),
    expect: {
      outcome: 'accepted',
      draft: {
        'identity.id': 'entra:t-1:sp:sp-1',
        class: 'api_activity',
        action: 'Add service principal credentials',
        effect: 'credential-minting',
        'details.issuedTo': 'entra:t-1:sp:sp-9',
        'details.issuedCredential': 'key-9',
      },
    },
  },
  {
    name: 'person gives an app a role',
    record: record('AuditLogs', {
      activityDisplayName: 'Add app role assignment to service principal',
      result: 'failure',
      initiatedBy: { user: { id: 'u-1', ipAddress: '192.0.2.20' } },
      targetResources: [
        {
          id: 'sp-9',
          type: 'ServicePrincipal',
          modifiedProperties: [{ displayName: 'AppRole.Value', newValue: '"Directory.ReadWrite.All"' }],
        },
      ],
    }),
    expect: {
      outcome: 'accepted',
      draft: {
        'identity.human': 'yes',
        outcome: 'failure',
        accessLevel: 'permissions',
        effect: 'permission-grant',
        origin: '192.0.2.20',
        'details.grantee': 'entra:t-1:sp:sp-9',
        'details.grant': 'Directory.ReadWrite.All',
      },
    },
  },
  {
    name: 'update of an application that changes its federated credentials',
    record: record('AuditLogs', {
      activityDisplayName: 'Update application',
      result: 'success',
      initiatedBy: { app: { servicePrincipalId: 'sp-1' } },
      targetResources: [
        {
          id: 'app-9',
          type: 'Application',
          modifiedProperties: [{ displayName: 'FederatedIdentityCredentials' }],
        },
      ],
    }),
    expect: {
      outcome: 'accepted',
      draft: { effect: 'trust-change', 'details.targetIdentity': 'entra:t-1:app:app-9' },
    },
  },
  {
    name: 'call to Microsoft Graph',
    record: record('MicrosoftGraphActivityLogs', {
      requestId: 'q-1',
      requestMethod: 'GET',
      requestUri:
        'https://graph.microsoft.com/v1.0/users/00000000-0000-4000-8000-000000000001/messages?$top=5',
      responseStatusCode: 403,
      servicePrincipalId: 'sp-1',
      appId: 'app-1',
      clientAuthMethod: 1,
      signInActivityId: 'token-1',
      ipAddress: '192.0.2.10',
    }),
    expect: {
      outcome: 'accepted',
      draft: {
        'identity.id': 'entra:t-1:sp:sp-1',
        class: 'api_activity',
        action: 'GET /v1.0/users/{id}/messages',
        service: 'graph.microsoft.com',
        resourceClass: 'users',
        accessLevel: 'read',
        outcome: 'denied',
        errorCode: '403',
        authMethod: 'client-secret',
        session: 'token-1',
      },
    },
  },
  {
    name: 'identifier of a wrong type',
    record: record('ServicePrincipalSignInLogs', { servicePrincipalId: 7 }),
    expect: { outcome: 'dead', reason: 'wrong-type' },
  },
  {
    name: 'no time',
    record: record('SignInLogs', { userId: 'u-1', createdDateTime: null }, { time: null }),
    expect: { outcome: 'dead', reason: 'bad-time' },
  },
]

/** Microsoft Entra's sign-ins, directory changes and Graph calls. Blind to tokens used outside Microsoft Graph. */
export const source = defineSource<EntraRecord>({
  id: 'entra-sign-in',
  title: 'Microsoft Entra ID sign-ins, audit and Graph activity',
  kind: 'auth',
  sees: 'Sign-ins of service principals, managed identities and people; credentials, roles and trust changed in the directory; calls to Microsoft Graph.',
  misses:
    'Use of tokens at other APIs; which federated workload stood behind a token; sign-ins of Microsoft’s own services.',
  needs: 'Diagnostic settings with the categories named; Graph activity needs a P1 licence.',
  documentation:
    'https://learn.microsoft.com/entra/identity/monitoring-health/concept-diagnostic-settings-logs-options',
  format: 'json',
  recognises: (entry) =>
    typeof entry.category === 'string' &&
    isJsonObject(entry.properties) &&
    (SIGN_IN.has(entry.category) ||
      entry.category === 'MicrosoftGraphActivityLogs' ||
      // Other Azure services have an AuditLogs category too.
      (entry.category === 'AuditLogs' &&
        ('initiatedBy' in entry.properties || 'targetResources' in entry.properties))),
  schema: entraRecord,
  samples,
  normalise(entry, context) {
    const { properties } = entry
    const when =
      properties.createdDateTime ?? properties.activityDateTime ?? properties.timeGenerated ?? entry.time
    const time = when == null ? undefined : parseTime(when)
    if (time === undefined)
      return dead('normalise', 'bad-time', 'entra-sign-in: createdDateTime or time: not a time')
    const tenant =
      entry.tenantId || entry.tenantid || properties.tenantId || tenantIn(entry) || context.tenant
    const frame: Frame = {
      tenant,
      eventId: properties.id || (properties.requestId ?? '') || context.recordHash(),
      time,
      origin: properties.ipAddress || entry.callerIpAddress || entry.calleripaddress || undefined,
    }
    const who = SIGN_IN.get(entry.category)
    if (who !== undefined) return accepted(signIn(entry, frame, who))
    return accepted(entry.category === 'AuditLogs' ? directoryChange(entry, frame) : graphCall(entry, frame))
  },
})

/** `/tenants/<id>/providers/Microsoft.aadiam` */
function tenantIn(entry: EntraRecord): string {
  const path = entry.resourceId ?? entry.resourceid ?? ''
  return path.toLowerCase().startsWith('/tenants/') ? (path.split('/', 3)[2] ?? '') : ''
}

const METHODS: ReadonlyMap<string, string> = new Map([
  ['clientsecret', 'client-secret'],
  ['certificate', 'certificate'],
  ['clientassertion', 'certificate'],
  ['federatedidentitycredential', 'federated'],
  ['managedidentity', 'managed-identity'],
  ['none', ''],
])

/** Codes that ask for one more step (second factor, consent, a choice) or report a fault: not a refusal. */
const INTERRUPTS = new Set(
  '16000 16001 50055 50058 50072 50074 50076 50079 50097 50125 50127 50129 50140 50143 50199 65001 81010 90033'.split(
    ' ',
  ),
)

function signIn(
  entry: EntraRecord,
  frame: Frame,
  who: 'service-principal' | 'managed-identity' | 'user',
): Draft {
  const { properties } = entry
  const code = codeOf(entry)
  const outcome =
    code === '0' ? 'success' : code === '' ? 'unknown' : INTERRUPTS.has(code) ? 'failure' : 'denied'
  const type = (properties.clientCredentialType ?? '').toLowerCase()
  const credential =
    properties.servicePrincipalCredentialKeyId ||
    properties.servicePrincipalCredentialThumbprint ||
    properties.federatedCredentialId
  return {
    eventId: frame.eventId,
    time: frame.time,
    origin: frame.origin,
    class: 'authentication',
    identity:
      who === 'user'
        ? user(frame.tenant, properties.userId, 'yes')
        : // An application without a principal in this tenant is, when refused, whatever id the caller typed.
          machine(
            frame.tenant,
            outcome === 'denied'
              ? { servicePrincipalId: properties.servicePrincipalId, appId: '' }
              : properties,
            who,
          ),
    action: 'sign-in',
    service: properties.resourceDisplayName || properties.resourceId || 'unknown',
    accessLevel: 'auth',
    outcome,
    errorCode: code === '0' ? '' : code,
    resourceClass: 'resource',
    resources: properties.resourceId ? [properties.resourceId] : undefined,
    credential: credential || undefined,
    authMethod: (METHODS.get(type) ?? type) || (who === 'user' ? protocolOf(properties) : undefined),
    session: properties.sessionId || properties.uniqueTokenIdentifier || undefined,
    userAgent: properties.userAgent ?? undefined,
    requestId: properties.correlationId ?? undefined,
    details: named({ appId: properties.appId, servicePrincipalName: properties.servicePrincipalName }),
  }
}

/** `ropc`, `deviceCode`, `oAuth2`: how a person's sign-in was made. */
function protocolOf(properties: EntraProperties): string | undefined {
  const protocol = properties.authenticationProtocol
  return protocol === 'none' ? undefined : (protocol ?? undefined)
}

/** '0' for success, '' when the record does not say. */
function codeOf(entry: EntraRecord): string {
  const code = entry.properties.status?.errorCode ?? entry.resultType ?? entry.resulttype
  if (code == null) return ''
  return String(code).toLowerCase() === 'success' ? '0' : String(code).slice(0, 32)
}
