import type { JsonObject } from './source.ts'

/** Address, names and time take less than this, even with a name as long as a server accepts. */
const LONGEST_HEAD = 8192

/**
 * nginx and Apache combined log lines, by hand and in linear time:
 * `address ident user [time] "request" status bytes "referrer" "user agent" [request id]`. Quotes and backslashes inside
 * fields are escaped with a backslash (Apache) or as `\x22` (nginx). Null when the line is of another format.
 */
export function parseCombinedLine(line: string): JsonObject | null {
  // A user's name may hold ` [`, but never a bare quote: the first one after a bracket opens the request.
  const close = line.indexOf('] "')
  if (close < 0 || close > LONGEST_HEAD) return null
  const open = line.lastIndexOf(' [', close)
  if (open <= 0 || close - open > 64) return null
  const [address = '', ident = '', ...user] = line.slice(0, open).split(' ')
  if (address === '' || ident === '' || user.length === 0) return null
  const request = quoted(line, close + 2)
  if (request === null) return null
  const rest = /^ (\d{3}) (\d+|-)/.exec(line.slice(request.end, request.end + 40))
  if (rest === null) return null
  let at = request.end + rest[0].length
  const fields: string[] = []
  while (line[at] === ' ' && line[at + 1] === '"') {
    const field = quoted(line, at + 1)
    if (field === null) break
    fields.push(field.text)
    at = field.end
  }
  return {
    address,
    user: user.join(' '),
    time: line.slice(open + 2, close),
    request: request.text,
    status: Number(rest[1]),
    bytes: rest[2] === '-' ? 0 : Number(rest[2]),
    userAgent: fields[1] ?? '',
    requestId: line.slice(at).trim(),
  }
}

function quoted(line: string, start: number): { readonly text: string; readonly end: number } | null {
  if (line[start] !== '"') return null
  let at = start + 1
  while (at < line.length && line[at] !== '"') at += line[at] === '\\' ? 2 : 1
  return at >= line.length ? null : { text: line.slice(start + 1, at), end: at + 1 }
}
