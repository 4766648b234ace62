/**
 * Text of pairs as Keycloak's event log writes it: `type="CLIENT_LOGIN", realmId="…", scope="email profile"`. Older servers
 * write plain values (`type=LOGIN, clientId=shop`) and quote only those with a space, in single quotes.
 */

/** Pairs read of one text, and characters of one key, at most: a hostile text must not become a large Map. */
const MOST_PAIRS = 64
const LONGEST_KEY = 64

/**
 * The pairs of the text, in its order. A backslash escapes the character after it within double quotes. The first of two
 * equal keys wins: the producer writes its own fields first, so that a value with invented pairs inside cannot replace
 * them. What is no pair is skipped. One pass, linear in the length.
 */
export function readPairs(text: string): ReadonlyMap<string, string> {
  const pairs = new Map<string, string>()
  let at = 0
  while (at < text.length && pairs.size < MOST_PAIRS) {
    const equals = text.indexOf('=', at)
    if (equals < 0) break
    const key = keyBefore(text, at, equals)
    const quote = text.charCodeAt(equals + 1)
    let value: string
    let end: number
    if (quote === 34 || quote === 39) {
      end = closingQuote(text, equals + 2, quote)
      value = text.slice(equals + 2, end)
      if (quote === 34 && value.includes('\\')) value = unescaped(value)
      end++
    } else {
      const separator = text.indexOf(', ', equals)
      end = separator < 0 ? text.length : separator
      value = text.slice(equals + 1, end)
    }
    if (key !== '' && !pairs.has(key)) pairs.set(key, value)
    at = end
  }
  return pairs
}

/** The name that ends at `equals`: letters, digits, `_`, `-` and `.`. Looks back no further than `from`. */
function keyBefore(text: string, from: number, equals: number): string {
  let start = equals
  while (start > from && equals - start <= LONGEST_KEY && isKeyCharacter(text.charCodeAt(start - 1))) start--
  return equals - start > LONGEST_KEY ? '' : text.slice(start, equals)
}

function isKeyCharacter(code: number): boolean {
  return (
    (code >= 97 && code <= 122) ||
    (code >= 65 && code <= 90) ||
    (code >= 48 && code <= 57) ||
    code === 95 ||
    code === 45 ||
    code === 46
  )
}

/** Index of the closing quote, or the end of a text that was cut off. Only double quotes know escapes. */
function closingQuote(text: string, from: number, quote: number): number {
  if (quote === 39) {
    const end = text.indexOf("'", from)
    return end < 0 ? text.length : end
  }
  for (let index = from; index < text.length; index++) {
    const code = text.charCodeAt(index)
    if (code === 92) index++
    else if (code === 34) return index
  }
  return text.length
}

function unescaped(value: string): string {
  return value.replace(/\\(.)/gs, '$1')
}
