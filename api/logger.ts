import { type DestinationStream, destination, type Logger, pino } from 'pino'
import { StoreError } from '../features/store/store-error.ts'

export type { Logger }

/**
 * The log of the process: JSON lines on standard error, because findings may own standard output. Ids, codes and counts,
 * never records; headers and anything that could hold a secret are removed should somebody log an object that has them.
 */
export function createLogger(
  level: string,
  to: DestinationStream = destination({ dest: 2, sync: true }),
): Logger {
  return pino(
    {
      level,
      base: null,
      redact: {
        paths: [
          'token',
          'password',
          'authorization',
          'headers',
          '*.token',
          '*.password',
          '*.authorization',
          '*.headers',
        ],
        remove: true,
      },
      serializers: { err: errorFields },
    },
    to,
  )
}

/**
 * An error as code, message and stack, through its causes: no other properties, which may be anything. What is behind a
 * StoreError was said by the engine, which quotes the rows and the statement that failed: of that the codes only.
 */
function errorFields(error: unknown, depth = 0, engine = false): Record<string, unknown> {
  if (!(error instanceof Error)) return engine ? {} : { message: String(error) }
  const code = 'code' in error && typeof error.code === 'string' ? { code: error.code } : {}
  const behind = engine || error instanceof StoreError
  const cause =
    error.cause !== undefined && depth < 4 ? { cause: errorFields(error.cause, depth + 1, behind) } : {}
  if (engine) return { type: error.name, ...code, ...cause }
  return { type: error.name, ...code, message: error.message, stack: error.stack, ...cause }
}
