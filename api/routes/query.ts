import { z } from 'zod'
import { Problem } from '../problem.ts'

/** Query parameters: strict, because a misspelt filter that is ignored shows more than was asked for. */
export function parseQuery<T>(schema: z.ZodType<T>, query: unknown): T {
  const parsed = schema.safeParse(query)
  if (parsed.success) return parsed.data
  const problems = parsed.error.issues.map((issue) =>
    issue.path.length === 0 ? issue.message : `${issue.path.join('.')}: ${issue.message}`,
  )
  throw new Problem('invalid-query', problems.join('; ').slice(0, 500))
}

export const limitOf = (standard: number) => z.coerce.number().int().min(1).max(200).default(standard)
export const identityId = z.string().min(1).max(512)

const MAX_CURSOR = 2048
export const cursorText = z.string().min(1).max(MAX_CURSOR)

/** Cursors are opaque to clients: what they contain may change. */
export const encodeCursor = (inner: string): string => Buffer.from(inner).toString('base64url')

/** The store's cursor in one of ours; throws `invalid-cursor` unless its content satisfies the schema. */
export function decodeCursor(cursor: string, schema: z.ZodType): string {
  if (/^[\w-]+$/.test(cursor)) {
    const inner = Buffer.from(cursor, 'base64url').toString()
    try {
      if (schema.safeParse(JSON.parse(inner)).success) return inner
    } catch {
      // not JSON: not ours
    }
  }
  throw new Problem('invalid-cursor', 'The cursor cannot be read.')
}
