import { posix } from 'node:path'

/**
 * TypeScript taken apart just far enough for the house checks: what is code, what is comment, what is string. The compiler
 * of TypeScript 7 offers no programmatic parser, and a check that reads comments as code cries wolf.
 */
export interface SourceText {
  /** The text with the insides of comments, strings and regular expressions blanked; positions and lines unchanged. */
  readonly code: string
  /** The text with everything but comments blanked. */
  readonly comments: string
  /** String literals without substitutions, by the position of their opening quote. */
  readonly strings: ReadonlyMap<number, string>
}

const BEFORE_REGEX =
  /(?:^|[(,=:[!&|?{};+\-*%~^<>]|\b(?:return|typeof|case|in|of|delete|void|throw|new|do|else))\s*$/

export function dissect(text: string): SourceText {
  const code = text.split('')
  const comments: string[] = code.map((c) => (c === '\n' ? c : ' '))
  const strings = new Map<number, string>()
  const blank = (from: number, to: number): void => {
    for (let i = from; i < Math.min(to, text.length); i++) if (code[i] !== '\n') code[i] = ' '
  }
  /** Reads code from `at` until the `}` that closes a template substitution (or the end); returns the position after. */
  const readCode = (at: number, nested: boolean): number => {
    let depth = 0
    let i = at
    while (i < text.length) {
      const c = text.charAt(i)
      if (c === '/' && (text.charAt(i + 1) === '/' || text.charAt(i + 1) === '*')) {
        const close = text.charAt(i + 1) === '/' ? text.indexOf('\n', i) : text.indexOf('*/', i + 2) + 2
        const end = close < i + 2 ? text.length : close
        for (let k = i; k < end; k++) comments[k] = text.charAt(k)
        blank(i, end)
        i = end
      } else if (c === "'" || c === '"') i = readString(i, c)
      else if (c === '`') i = readTemplate(i)
      else if (c === '/' && BEFORE_REGEX.test(code.slice(Math.max(0, i - 200), i).join(''))) i = readRegex(i)
      else {
        if (c === '{') depth += 1
        if (c === '}') {
          if (nested && depth === 0) return i + 1
          depth -= 1
        }
        i += 1
      }
    }
    return i
  }
  const readString = (start: number, quote: string): number => {
    let i = start + 1
    while (i < text.length && text.charAt(i) !== quote && text.charAt(i) !== '\n')
      i += text.charAt(i) === '\\' ? 2 : 1
    strings.set(start, text.slice(start + 1, i))
    blank(start + 1, i)
    return i + 1
  }
  const readTemplate = (start: number): number => {
    let i = start + 1
    let from = i
    let plain = true
    while (i < text.length && text.charAt(i) !== '`') {
      if (text.charAt(i) === '\\') i += 2
      else if (text.startsWith('${', i)) {
        plain = false
        blank(from, i)
        i = readCode(i + 2, true)
        from = i
      } else i += 1
    }
    if (plain) strings.set(start, text.slice(start + 1, i))
    blank(from, i)
    return i + 1
  }
  const readRegex = (start: number): number => {
    let i = start + 1
    let inClass = false
    while (i < text.length && text.charAt(i) !== '\n') {
      const c = text.charAt(i)
      if (c === '\\') i += 1
      else if (c === '[') inClass = true
      else if (c === ']') inClass = false
      else if (c === '/' && !inClass) break
      i += 1
    }
    blank(start + 1, i)
    return i + 1
  }
  readCode(0, false)
  return { code: code.join(''), comments: comments.join(''), strings }
}

/** 1-based line of a position. */
export const lineOf = (text: string, position: number): number => text.slice(0, position).split('\n').length

/** Specifier of an `import(…)` whose argument is computed. */
export const COMPUTED = '(computed)'

/**
 * What a file refers to: static and dynamic imports, re-exports, type imports, and string literals that are relative paths
 * of modules (workers, scanned folders). `require` counts too.
 */
export function importsOf(source: SourceText): readonly string[] {
  const { code, strings } = source
  const found = new Set<string>()
  for (const match of code.matchAll(/\b(?:import\s*\(|require\s*\(|import|from)\s*/g)) {
    const position = match.index + match[0].length
    const specifier = strings.get(position)
    if (specifier !== undefined) found.add(specifier)
    else if (match[0].trimEnd().endsWith('(')) found.add(COMPUTED)
  }
  for (const text of strings.values()) if (/^\.\.?\/[^\s*]*\.[jt]s$/.test(text)) found.add(text)
  return [...found]
}

/** Path of a relative specifier from the root of the project; undefined for packages. */
export const resolveFrom = (path: string, specifier: string): string | undefined =>
  specifier.startsWith('.') ? posix.join(posix.dirname(path), specifier) : undefined

/** Package of a bare specifier: `chdb/connection` → `chdb`, `@clickhouse/client/x` → `@clickhouse/client`. */
export const packageOf = (specifier: string): string =>
  specifier
    .split('/')
    .slice(0, specifier.startsWith('@') ? 2 : 1)
    .join('/')
