/** Markdown from plain data, and the marked blocks that are rewritten by `npm run docs`. */

const escaped = (cell: string): string => cell.replaceAll('|', '\\|').replaceAll(/\s*\n\s*/g, ' ')

export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string => `| ${cells.map(escaped).join(' | ')} |`
  return [line(head), `|${' --- |'.repeat(head.length)}`, ...rows.map(line)].join('\n')
}

/** A bullet per fact; facts without text are left out. */
export const facts = (pairs: readonly (readonly [string, string])[]): string =>
  pairs
    .filter(([, text]) => text !== '')
    .map(([name, text]) => `- **${name}:** ${text.replaceAll(/\s*\n\s*/g, ' ')}`)
    .join('\n')

export const code = (text: string): string => `\`${text}\``

const openingOf = (name: string): string =>
  `<!-- generated: ${name} · \`npm run docs\` rewrites this block -->`
const closingOf = (name: string): string => `<!-- end of ${name} -->`

/** `page` with the block `name` replaced by `content`. Throws when the page does not have exactly one such block. */
export function withBlock(page: string, name: string, content: string): string {
  const [before, rest, ...more] = page.split(openingOf(name))
  const [, after, ...others] = rest?.split(closingOf(name)) ?? []
  if (before === undefined || after === undefined || more.length + others.length > 0)
    throw new Error(`The page needs one block between ${openingOf(name)} and ${closingOf(name)}.`)
  return `${before}${openingOf(name)}\n\n${content}\n\n${closingOf(name)}${after}`
}
