export const STORE_ERROR_CODES = [
  'store-engine-missing',
  'store-wrong-thread',
  'store-locked',
  'store-unwritable',
  'store-unreachable',
  'store-schema-newer',
  'store-write-failed',
  'store-read-failed',
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

/** First line of an engine error, for messages: the rest is a dump of the offending rows. */
export function reasonOf(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error)
  const line = text.split('\n', 1)[0] ?? ''
  return line.length > 300 ? `${line.slice(0, 299)}…` : line
}
