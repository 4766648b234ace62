import { isJsonObject } from '../json-values.ts'
import { accepted, dead, filtered } from '../outcome.ts'
import { defineSource, type JsonObject, type Sample } from '../source.ts'
import { parseTime } from '../time.ts'
import { vaultIdentity } from '../vault-identity.ts'
import {
  type AuditRecord,
  auditRecord,
  callerOf,
  detailsOf,
  effectOf,
  errorOf,
  methodOf,
  outcomeOf,
  userAgentOf,
} from '../vault-line.ts'
import { vaultMeaning } from '../vault-meaning.ts'

const TOKEN = 'hmac-sha256:token-1'
const billing = {
  client_token: TOKEN,
  accessor: 'hmac-sha256:accessor-1',
  display_name: 'approle',
  policies: ['default', 'billing'],
  policy_results: { allowed: true },
  metadata: { role_name: 'billing' },
  entity_id: 'entity-1',
  token_type: 'service',
  token_ttl: 1200,
}
const root = { client_token: TOKEN, accessor: 'a', display_name: 'root', policies: ['root'] }

const line = (operation: string, path: string, who: JsonObject, rest: JsonObject = {}): JsonObject => {
  const [first = '', second = ''] = path.split('/')
  const mount = first === 'auth' ? `auth/${second}/` : `${first}/`
  return {
    time: '2026-03-02T08:15:30.123456789Z',
    type: 'response',
    auth: who,
    request: {
      id: 'r-1',
      operation,
      path,
      mount_point: mount,
      mount_type: first === 'auth' ? second : first === 'sys' ? 'system' : first,
      namespace: { id: 'root' },
      remote_address: '192.0.2.10',
      headers: { 'user-agent': ['billing/1.4'] },
      ...(who.client_token === undefined ? {} : { client_token: who.client_token }),
    },
    ...rest,
  }
}

const samples: readonly Sample[] = [
  {
    name: 'role reads a secret',
    record: line('read', 'kv/data/billing/db', billing),
    expect: {
      outcome: 'accepted',
      draft: {
        eventId: 'r-1',
        'identity.id': 'vault:root:entity:entity-1',
        'identity.kind': 'service-account',
        'identity.human': 'no',
        class: 'api_activity',
        action: 'read kv/data/{path}',
        service: 'kv/',
        accessLevel: 'read',
        effect: 'secret-read',
        resourceClass: 'kv/billing',
        'resources.0': 'kv/data/billing/db',
        outcome: 'success',
        credential: 'hmac-sha256:accessor-1',
        authMethod: 'session',
        'details.tokenHash': TOKEN,
        'details.role': 'billing',
        origin: '192.0.2.10',
        userAgent: 'billing/1.4',
        time: 1_772_439_330_123,
      },
    },
  },
  {
    name: 'login: only the response knows who it was',
    record: {
      ...line('update', 'auth/approle/login', {}),
      auth: { ...billing, policy_results: null },
    },
    expect: {
      outcome: 'accepted',
      draft: {
        'identity.id': 'vault:root:entity:entity-1',
        class: 'authentication',
        action: 'update auth/approle/login',
        accessLevel: 'auth',
        effect: undefined,
        authMethod: 'approle',
        credential: 'hmac-sha256:accessor-1',
        'details.tokenHash': TOKEN,
      },
    },
  },
  {
    name: 'refused login: nobody, whatever name was tried',
    record: line(
      'update',
      'auth/userpass/login/root',
      {},
      { response: { data: { error: 'hmac-sha256:e' } } },
    ),
    expect: {
      outcome: 'accepted',
      draft: {
        'identity.id': 'vault:root:anonymous',
        'identity.kind': 'anonymous',
        action: 'update auth/userpass/login/{name}',
        outcome: 'denied',
        errorCode: 'login refused',
      },
    },
  },
  {
    name: 'person',
    record: line('list', 'kv/metadata/billing/', {
      ...billing,
      display_name: 'userpass-ann',
      entity_id: 'entity-2',
      metadata: { username: 'ann' },
    }),
    expect: {
      outcome: 'accepted',
      draft: {
        'identity.kind': 'user',
        'identity.human': 'yes',
        accessLevel: 'list',
        effect: undefined,
        action: 'list kv/metadata/{path}',
      },
    },
  },
  {
    name: 'dead token: the log names nobody, the hash of the token remains',
    record: line(
      'read',
      'kv/data/billing/db',
      { token_type: 'default' },
      {
        error: '1 error occurred:\n\t* permission denied\n\n',
        request: {
          id: 'r-2',
          operation: 'read',
          path: 'kv/data/billing/db',
          mount_point: 'kv/',
          client_token: TOKEN,
          namespace: { id: 'root' },
          remote_address: '198.51.100.9',
        },
      },
    ),
    expect: {
      outcome: 'accepted',
      draft: {
        'identity.id': 'vault:root:unattributed',
        'identity.kind': 'unknown',
        outcome: 'denied',
        errorCode: 'permission denied',
        credential: undefined,
        'details.tokenHash': TOKEN,
      },
    },
  },
  {
    name: 'root token switches an audit device off, in a namespace',
    record: line('delete', 'sys/audit/file', root, {
      request: {
        id: 'r-3',
        operation: 'delete',
        path: 'sys/audit/file',
        client_token: TOKEN,
        namespace: { id: 'x1', path: 'team-a/' },
        remote_address: '10.0.0.8',
      },
    }),
    expect: {
      outcome: 'accepted',
      draft: {
        'identity.id': 'vault:team-a:root',
        'identity.kind': 'root',
        effect: 'audit-tampering',
        service: 'sys/',
        authMethod: 'token',
      },
    },
  },
  {
    name: 'a token makes a child of its own entity',
    record: line('update', 'auth/token/create', billing, {
      response: {
        auth: { accessor: 'hmac-sha256:accessor-2', entity_id: 'entity-1', display_name: 'token' },
      },
    }),
    expect: {
      outcome: 'accepted',
      draft: {
        effect: 'credential-minting',
        accessLevel: 'auth',
        'details.issuedCredential': 'hmac-sha256:accessor-2',
        'details.issuedTo': 'vault:root:entity:entity-1',
      },
    },
  },
  {
    name: 'secret id issued for another role',
    record: line('update', 'auth/approle/role/ledger/secret-id', billing, {
      response: { data: { secret_id: 'hmac-sha256:s', secret_id_accessor: 'hmac-sha256:sa' } },
    }),
    expect: {
      outcome: 'accepted',
      draft: {
        effect: 'credential-minting',
        'details.issuedCredential': 'hmac-sha256:sa',
        'details.issuedTo': 'vault:root:auth/approle/role/ledger',
      },
    },
  },
  {
    name: 'certificate for itself',
    record: line('update', 'pki/issue/svc', billing, {
      response: { data: { serial_number: 'hmac-sha256:n', private_key: 'hmac-sha256:k' } },
    }),
    expect: {
      outcome: 'accepted',
      draft: {
        action: 'update pki/issue/svc',
        effect: 'credential-minting',
        'details.issuedCredential': 'hmac-sha256:n',
        'details.issuedTo': 'vault:root:entity:entity-1',
      },
    },
  },
  {
    name: 'an entity edits its own policies, and is refused',
    record: line(
      'update',
      'identity/entity/id/entity-1',
      { ...billing, policy_results: { allowed: false } },
      {},
    ),
    expect: {
      outcome: 'accepted',
      draft: {
        outcome: 'denied',
        accessLevel: 'permissions',
        effect: 'permission-grant',
        'details.targetIdentity': 'vault:root:entity:entity-1',
      },
    },
  },
  {
    name: 'orphan token: its own principal, by the name it was given',
    record: line('read', 'kv/data/billing/db', {
      ...billing,
      entity_id: '',
      display_name: 'token-backup',
      metadata: null,
    }),
    expect: {
      outcome: 'accepted',
      draft: {
        'identity.id': 'vault:root:token:token-backup',
        'identity.kind': 'api-key',
        'identity.human': 'unknown',
      },
    },
  },
  {
    name: 'request line: the response completes it',
    record: { ...line('read', 'kv/data/billing/db', billing), type: 'request' },
    expect: { outcome: 'filtered', reason: 'request-stage' },
  },
  {
    name: 'entity of a wrong type',
    record: line('read', 'kv/data/billing/db', { ...billing, entity_id: 7 }),
    expect: { outcome: 'dead', reason: 'wrong-type' },
  },
  {
    name: 'time that is none',
    record: { ...line('read', 'kv/data/billing/db', billing), time: 'yesterday' },
    expect: { outcome: 'dead', reason: 'bad-time' },
  },
]

/**
 * Audit log of Vault and OpenBao. Blind to what is done with a secret after it was read.
 *
 * `credential` is the token's accessor, which a responder can revoke when the device is set to `hmac_accessor=false`; where
 * a line has none it is absent, and `details.tokenHash` (the HMAC of the token) is the key by which a later stage gives the
 * line of a dead token back to its owner.
 */
export const source = defineSource<AuditRecord>({
  id: 'vault-audit',
  title: 'Vault and OpenBao audit log',
  kind: 'auth',
  sees: 'Logins, secrets read, credentials issued, policies and entities changed, with token, entity and address.',
  misses:
    'What is done with a secret afterwards; values, which the log replaces by hashes; reads from an agent’s cache.',
  needs:
    'An audit device; user-agent among the audited headers, and hmac_accessor=false to be able to revoke.',
  documentation: 'https://developer.hashicorp.com/vault/docs/audit',
  format: 'json',
  recognises: (record) =>
    (record.type === 'response' || record.type === 'request') &&
    isJsonObject(record.request) &&
    'operation' in record.request &&
    'path' in record.request,
  schema: auditRecord,
  samples,
  normalise(record, context) {
    if (record.type === 'request') return filtered('request-stage')
    const { request } = record
    const time = record.time == null ? undefined : parseTime(record.time)
    if (time === undefined) return dead('normalise', 'bad-time', 'vault-audit: time: not a time')
    const meaning = vaultMeaning({
      operation: (request.operation || 'unknown').slice(0, 32),
      path: request.path ?? '',
      mount: request.mount_point ?? '',
      mountType: request.mount_type ?? '',
    })
    const who = callerOf(record, meaning)
    const identity = vaultIdentity(who)
    const outcome = outcomeOf(record, meaning)
    return accepted({
      eventId: request.id || context.recordHash(),
      time,
      class: meaning.login ? 'authentication' : 'api_activity',
      identity,
      action: meaning.action,
      service: meaning.mount,
      accessLevel: meaning.accessLevel,
      effect: effectOf(record, meaning),
      outcome,
      errorCode: outcome === 'success' || outcome === 'unknown' ? '' : errorOf(record, meaning),
      origin: request.remote_address ?? undefined,
      resourceClass: meaning.resourceClass,
      resources: [request.path ?? ''],
      credential: who.accessor || undefined,
      authMethod: methodOf(record, meaning, who),
      userAgent: userAgentOf(record),
      requestId: request.id ?? undefined,
      details: detailsOf(record, meaning, who, identity.id),
    })
  },
})
