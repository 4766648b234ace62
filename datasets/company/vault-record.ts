import type { Random } from '../random.ts'
import { isoMillisecond, isoSecond } from './iso-time.ts'
import type { CompanyRecord } from './record.ts'

/** What a Vault client shows: the token it holds and the entity behind it. */
export interface VaultToken {
  readonly role: string
  readonly entityId: string
  /** 64 hexadecimal digits each, as the audit device hashes them. */
  readonly tokenHash: string
  readonly accessorHash: string
  /** Epoch ms. */
  readonly issued: number
  readonly policies: readonly string[]
}

export interface VaultCall {
  /** Epoch ms. */
  readonly time: number
  readonly token: VaultToken
  readonly operation: 'read' | 'update' | 'create' | 'list' | 'delete'
  readonly mount: string
  readonly mountType: string
  readonly path: string
  readonly address: string
  readonly userAgent: string
  readonly denied?: boolean
  /** The login itself: its request knows no identity yet. */
  readonly login?: boolean
}

const TTL = 3600

/** The `request` or `response` line of one call. Both draw the same request id, so `random` must start alike. */
export function vaultLine(call: VaultCall, line: 'request' | 'response', random: Random): string {
  const { token, denied } = call
  const id = random.uuid()
  const port = 32_000 + random.int(28_000)
  const nanos = String(random.int(1_000_000)).padStart(6, '0')
  const time = `${isoMillisecond(call.time)}${nanos}Z`
  const policies = JSON.stringify(token.policies)
  const unknown = call.login === true && line === 'request'
  const auth = unknown
    ? '{"policy_results":{"allowed":true},"token_type":"default"}'
    : `{"client_token":"hmac-sha256:${token.tokenHash}","accessor":"hmac-sha256:${token.accessorHash}","display_name":"approle","policies":${policies},"token_policies":${policies},"policy_results":{"allowed":${denied !== true}${denied === true ? '' : `,"granting_policies":[{"name":"${token.role}","namespace_id":"root","type":"acl"}]`}},"metadata":{"role_name":"${token.role}"},"entity_id":"${token.entityId}","token_type":"service","token_ttl":${TTL},"token_issue_time":"${isoSecond(token.issued)}Z"}`
  const shown =
    call.login === true
      ? ''
      : `"client_id":"${token.entityId}","client_token":"hmac-sha256:${token.tokenHash}","client_token_accessor":"hmac-sha256:${token.accessorHash}",`
  const mount = `"mount_point":"${call.mount}","mount_type":"${call.mountType}"`
  const response =
    line === 'request'
      ? ''
      : call.login === true
        ? `,"response":{"auth":${auth},${mount}}`
        : `,"response":{${mount},"mount_class":"secret"}`
  const error = denied === true ? ',"error":"1 error occurred:\\n\\t* permission denied\\n\\n"' : ''
  return `{"time":"${time}","type":"${line}","auth":${auth},"request":{"id":"${id}",${shown}"operation":"${call.operation}",${mount},"mount_running_version":"v1.20.4+builtin.vault","mount_class":"${call.login === true ? 'auth' : 'secret'}","namespace":{"id":"root"},"path":"${call.path}","remote_address":"${call.address}","remote_port":${port},"headers":{"user-agent":["${call.userAgent}"]}}${response}${error}}`
}

/** Both lines of one call, for a random number generator that can be started again. */
export function vaultRecords(call: VaultCall, restart: () => Random): readonly CompanyRecord[] {
  return [
    { time: call.time, source: 'vault-audit', line: vaultLine(call, 'request', restart()) },
    {
      time: call.time + VAULT_ANSWER,
      source: 'vault-audit',
      line: vaultLine({ ...call, time: call.time + VAULT_ANSWER }, 'response', restart()),
    },
  ]
}

/** Milliseconds from a request's line to its response's. */
export const VAULT_ANSWER = 2
