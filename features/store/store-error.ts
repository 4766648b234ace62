export const STORE_ERROR_CODES = [
  'store-engine-missing',
  'store-wrong-thread',
  'store-locked',
  'store-unwritable',
  'store-unreachable',
  'store-schema-newer',
  'store-write-failed',
  'store-read-failed',
  'store-timeout',
  'store-row-invalid',
  'store-closed',
] as const
export type StoreErrorCode = (typeof STORE_ERROR_CODES)[number]

/** A broken world or a bug at the store; `code` is stable, `message` is for people, `cause` is the engine's own error. */
export class StoreError extends Error {
  readonly code: StoreErrorCode

  constructor(code: StoreErrorCode, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause })
    this.name = 'StoreError'
    this.code = code
  }
}

/** Up to the end when the closing quote is missing. */
const QUOTED = /'(?:[^'\\]|\\.)*(?:'|$)/g

/**
 * First line of an engine error, for messages: the rest is a dump of the offending rows. What stands in quotes is left out,
 * because it comes out of a row or a statement: identities, and whatever else a log held.
 */
export function reasonOf(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error)
  const line = (text.split('\n', 1)[0] ?? '').slice(0, 10_000).replace(QUOTED, "'…'")
  return line.length > 300 ? `${line.slice(0, 299)}…` : line
}

/**
 * Whether a statement failed without an answer: `lost` with its connection, `timeout` when nobody waited longer, `none` when
 * the engine said why.
 */
export function lossOf(error: unknown): 'none' | 'lost' | 'timeout' {
  if (!(error instanceof Error)) return 'none'
  // The client has no code for it.
  if (error.message === 'Timeout error.') return 'timeout'
  return 'code' in error && typeof error.code === 'string' && CONNECTION_CODES.has(error.code)
    ? 'lost'
    : 'none'
}

const CONNECTION_CODES: ReadonlySet<string> = new Set([
  'ECONNRESET',
  'ECONNREFUSED',
  'ECONNABORTED',
  'EPIPE',
  'ETIMEDOUT',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ENOTFOUND',
  'EAI_AGAIN',
])
