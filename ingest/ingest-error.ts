import type { Position } from './outcome.ts'

export const INGEST_ERROR_CODES = [
  'not-found', // the path does not exist, or is a symbolic link to nothing
  'no-permission', // the operating system refused to open or list it
  'not-a-file', // a part of the path is not a directory, or the target is a socket or a device
  'read-failed', // any other I/O error, the cause says which
  'binary-input', // NUL bytes and no line break in the first 8 KiB
  'utf-16-input', // a UTF-16 byte order mark (Windows PowerShell's `>`)
  'truncated-gzip', // the compressed data end early
  'corrupt-gzip', // invalid compressed data, or a checksum or length that does not match
  'trailing-garbage', // bytes after the last gzip member that are neither padding nor another member
  'input-too-large', // more (uncompressed) bytes than the caller allows
] as const
export type IngestErrorCode = (typeof INGEST_ERROR_CODES)[number]

/** A broken input, as opposed to a bad record: branch on `code`, never on the message. */
export class IngestError extends Error {
  readonly code: IngestErrorCode
  /** File path or other name of the input; '' when the thrower does not know it. */
  readonly path: string
  readonly position: Position | undefined

  constructor(
    code: IngestErrorCode,
    message: string,
    about: { readonly path?: string; readonly position?: Position; readonly cause?: unknown } = {},
  ) {
    super(message, about.cause === undefined ? undefined : { cause: about.cause })
    this.name = 'IngestError'
    this.code = code
    this.path = about.path ?? ''
    this.position = about.position
  }
}

/** Wraps an error of the file system in its code; an IngestError only gets the path, if it has none yet. */
export function ingestError(error: unknown, path: string): IngestError {
  if (error instanceof IngestError) {
    if (error.path !== '') return error
    const { code, message, position, cause } = error
    return new IngestError(code, `${path}: ${message}`, { path, cause, ...(position && { position }) })
  }
  const system = error instanceof Error && 'code' in error ? String(error.code) : ''
  return new IngestError(codeOf(system), `${path}: ${system || 'cannot be read'}`, { path, cause: error })
}

function codeOf(system: string): IngestErrorCode {
  switch (system) {
    case 'ENOENT':
      return 'not-found'
    case 'EACCES':
    case 'EPERM':
      return 'no-permission'
    case 'ENOTDIR':
    case 'EISDIR':
    case 'ELOOP':
    case 'ENXIO':
      return 'not-a-file'
    default:
      return 'read-failed'
  }
}
