import { execFile } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'

/** What a second, guarded listener of a test broker needs, and what a client needs to get in. */
export type Protocol = 'SSL' | 'SASL_PLAINTEXT' | 'SASL_SSL'

/** The one user, for PLAIN and both SCRAMs. */
export const USERNAME = 'plumbline'
export const PASSWORD = 'correct-horse'

export interface KafkaSecurity {
  /** PEM of the authority that the broker's certificate is checked against; '' without TLS. */
  readonly ca: string
  /** A client's certificate which the broker trusts, for `ssl.client.auth=required`; '' without TLS. */
  readonly cert: string
  readonly key: string
}

interface GuardedListener {
  readonly properties: Readonly<Record<string, string>>
  /** Arguments for formatting: SCRAM's users live in the metadata. */
  readonly format: readonly string[]
  readonly security: KafkaSecurity
}

const run = promisify(execFile)
const LOGIN = 'org.apache.kafka.common.security'
const UNSECURED = `${LOGIN}.oauthbearer.internals.unsecured.OAuthBearerUnsecured`

export async function guardedListener(protocol: Protocol, folder: string): Promise<GuardedListener> {
  const tls = protocol === 'SASL_PLAINTEXT' ? undefined : await certificates(folder)
  const sasl = protocol === 'SSL' ? undefined : saslProperties(protocol)
  return {
    properties: { ...tls?.properties, ...sasl },
    format:
      sasl === undefined
        ? []
        : ['SCRAM-SHA-256', 'SCRAM-SHA-512'].flatMap((mechanism) => [
            '--add-scram',
            `${mechanism}=[name=${USERNAME},password=${PASSWORD}]`,
          ]),
    security: tls?.security ?? { ca: '', cert: '', key: '' },
  }
}

function saslProperties(protocol: Protocol): Record<string, string> {
  const listener = `listener.name.${protocol.toLowerCase()}`
  return {
    [`${listener}.sasl.enabled.mechanisms`]: 'PLAIN,SCRAM-SHA-256,SCRAM-SHA-512,OAUTHBEARER',
    [`${listener}.plain.sasl.jaas.config`]: `${LOGIN}.plain.PlainLoginModule required user_${USERNAME}="${PASSWORD}";`,
    [`${listener}.scram-sha-256.sasl.jaas.config`]: `${LOGIN}.scram.ScramLoginModule required;`,
    [`${listener}.scram-sha-512.sasl.jaas.config`]: `${LOGIN}.scram.ScramLoginModule required;`,
    [`${listener}.oauthbearer.sasl.jaas.config`]: `${LOGIN}.oauthbearer.OAuthBearerLoginModule required unsecuredLoginStringClaim_sub="broker";`,
    [`${listener}.oauthbearer.sasl.login.callback.handler.class`]: `${UNSECURED}LoginCallbackHandler`,
    [`${listener}.oauthbearer.sasl.server.callback.handler.class`]: `${UNSECURED}ValidatorCallbackHandler`,
  }
}

/** Keys are made anew each time: none lies in the repository to be found by a scanner, or to expire. */
async function certificates(
  folder: string,
): Promise<{ readonly properties: Record<string, string>; readonly security: KafkaSecurity }> {
  const [server, client] = await Promise.all([selfSigned(folder, 'server'), selfSigned(folder, 'client')])
  const keystore = join(folder, 'keystore.pem')
  const truststore = join(folder, 'truststore.pem')
  writeFileSync(keystore, server.key + server.cert)
  writeFileSync(truststore, client.cert)
  return {
    properties: {
      'ssl.keystore.type': 'PEM',
      'ssl.keystore.location': keystore,
      'ssl.truststore.type': 'PEM',
      'ssl.truststore.location': truststore,
    },
    security: { ca: server.cert, cert: client.cert, key: client.key },
  }
}

async function selfSigned(
  folder: string,
  name: string,
): Promise<{ readonly key: string; readonly cert: string }> {
  const key = join(folder, `${name}.key`)
  const cert = join(folder, `${name}.crt`)
  const request = ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes']
  const subject = ['-subj', `/CN=${name}`, '-addext', 'subjectAltName=IP:127.0.0.1,DNS:localhost']
  await run('openssl', [...request, '-days', '2', ...subject, '-keyout', key, '-out', cert])
  return { key: readFileSync(key, 'utf8'), cert: readFileSync(cert, 'utf8') }
}

/** A token as the test broker takes it for OAUTHBEARER: no signature, but its times and its subject are checked. Seconds. */
export function unsecuredToken(claims: {
  readonly sub: string
  readonly iat: number
  readonly exp: number
}): string {
  const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url')
  return `${part({ alg: 'none' })}.${part(claims)}.`
}
