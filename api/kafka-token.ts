import { z } from 'zod'
import type { SaslSettings } from './kafka-config.ts'

/**
 * Bearer tokens for SASL/OAUTHBEARER: by the client credentials grant (RFC 6749 §4.4), or signed with AWS credentials for
 * MSK. Tokens are kept until shortly before they expire, and never logged.
 */
export type TokenProvider = () => Promise<string>

type Bearer = Extract<SaslSettings, { mechanism: 'oauthbearer' | 'aws-msk-iam' }>

const answer = z.object({ access_token: z.string().min(1), expires_in: z.number().positive().default(60) })
const PATIENCE_MS = 10_000
/** A token is renewed this long before its end, because using it takes time. */
const MARGIN_MS = 15_000

export class TokenError extends Error {
  readonly code = 'broker-token'
}

export function tokenProvider(settings: Bearer, now: () => number): TokenProvider {
  const ask = settings.mechanism === 'oauthbearer' ? () => grant(settings) : () => sign(settings.region)
  let token = ''
  let until = Number.NEGATIVE_INFINITY
  return async () => {
    if (now() < until) return token
    const fresh = await ask()
    token = fresh.token
    until = now() + fresh.lifetimeMs - MARGIN_MS
    return token
  }
}

interface Fresh {
  readonly token: string
  readonly lifetimeMs: number
}

async function grant({
  tokenUrl,
  clientId,
  clientSecret,
  scope,
}: Extract<SaslSettings, { mechanism: 'oauthbearer' }>): Promise<Fresh> {
  const credentials = [clientId, clientSecret].map(encodeURIComponent).join(':')
  const response = await fetch(tokenUrl, {
    method: 'POST',
    headers: {
      authorization: `Basic ${Buffer.from(credentials).toString('base64')}`,
      accept: 'application/json',
    },
    body: new URLSearchParams({
      grant_type: 'client_credentials',
      ...(scope === undefined ? {} : { scope }),
    }),
    redirect: 'error',
    signal: AbortSignal.timeout(PATIENCE_MS),
  }).catch((error: unknown) => {
    throw new TokenError(`The token endpoint ${new URL(tokenUrl).host} does not answer.`, { cause: error })
  })
  // The body of a refusal may repeat what was sent: only the status is told.
  if (!response.ok) throw new TokenError(`The token endpoint answered ${response.status}.`)
  const parsed = answer.safeParse(await response.json().catch(() => undefined))
  if (!parsed.success) throw new TokenError('The token endpoint answered something that is no token.')
  return { token: parsed.data.access_token, lifetimeMs: parsed.data.expires_in * 1000 }
}

async function sign(region: string): Promise<Fresh> {
  const signer = await import('aws-msk-iam-sasl-signer-js').catch((error: unknown) => {
    throw new TokenError(
      'AWS MSK IAM needs the package of AWS that signs tokens: npm install aws-msk-iam-sasl-signer-js',
      { cause: error },
    )
  })
  const { token, expiryTime } = await signer.generateAuthToken({ region })
  return { token, lifetimeMs: expiryTime - Date.now() }
}
