import type { CompanyRecord, CompanySource } from './record.ts'

const WHERE: Readonly<Record<CompanySource, readonly string[]>> = {
  cloudtrail: ['eventID'],
  'kubernetes-audit': ['auditID'],
  'aws-api-gateway': ['requestId'],
  'vault-audit': ['request', 'id'],
  keycloak: ['id'],
  okta: ['uuid'],
}

/** The producer's event id of a record. Throws TypeError when the record has none, which would be a bug of the generator. */
export function eventIdOf(record: CompanyRecord): string {
  let here: unknown = JSON.parse(record.line)
  for (const key of WHERE[record.source]) {
    here = typeof here === 'object' && here !== null ? Reflect.get(here, key) : undefined
  }
  if (typeof here !== 'string') throw new TypeError(`a ${record.source} record without an event id`)
  return here
}
