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
export const encodeCursor = (content: unknown): string =>
  Buffer.from(JSON.stringify(content)).toString('base64url')

/** The content of a cursor; throws `invalid-cursor` unless it satisfies the schema. */
export function decodeCursor<T>(cursor: string, schema: z.ZodType<T>): T {
  if (/^[\w-]+$/.test(cursor)) {
    try {
      const parsed = schema.safeParse(JSON.parse(Buffer.from(cursor, 'base64url').toString()))
      if (parsed.success) return parsed.data
    } catch {
      // not JSON: not ours
    }
  }
  throw new Problem('invalid-cursor', 'The cursor cannot be read.')
}
