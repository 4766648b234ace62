import { destination, type Logger, pino } from 'pino'

export type { Logger }

/**
 * The log of the process: JSON lines on standard error, because findings may own standard output. Ids, codes and counts,
 * never records; headers and anything that could hold a secret are removed should somebody log an object that has them.
 */
export function createLogger(level: string): Logger {
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
    destination({ dest: 2, sync: true }),
  )
}

/** An error as code, message and stack, through its causes: no other properties, which may be anything. */
function errorFields(error: unknown, depth = 0): Record<string, unknown> {
  if (!(error instanceof Error)) return { message: String(error) }
  const code = 'code' in error && typeof error.code === 'string' ? { code: error.code } : {}
  const cause = error.cause !== undefined && depth < 4 ? { cause: errorFields(error.cause, depth + 1) } : {}
  return { type: error.name, ...code, message: error.message, stack: error.stack, ...cause }
}
