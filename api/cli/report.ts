import type { BatchCounts } from '../pipeline.ts'

/** The end report of a replay. */
export interface ReportContext {
  readonly identities: number
  readonly alerts: { readonly created: number; readonly updated: number }
  readonly seconds: number
  /** Records that came out of order beyond the look-ahead. */
  readonly late: number
  /** Files that ended in half a line while being written. */
  readonly unread: readonly { readonly path: string; readonly offset: number; readonly bytes: number }[]
}

/** `addsUp`: read = scored + filtered + duplicate + dead. */
export function reportText(
  counts: BatchCounts,
  context: ReportContext,
): { readonly text: string; readonly addsUp: boolean } {
  const filtered = sum(counts.filtered)
  const dead = sum(counts.dead)
  const addsUp = counts.read === counts.scored + filtered + counts.duplicate + dead
  const n = (value: number): string => value.toLocaleString('en')
  const lines = [
    `read ${n(counts.read)} = scored ${n(counts.scored)} + filtered ${n(filtered)} + duplicate ${n(counts.duplicate)} + dead ${n(dead)}${addsUp ? '' : '   DOES NOT ADD UP'}`,
  ]
  if (filtered > 0) lines.push(`  filtered: ${reasons(counts.filtered)}`)
  if (dead > 0) lines.push(`  dead letters: ${reasons(counts.dead)}   (kept: \`plumbline dead-letters\`)`)
  if (context.late > 0) lines.push(`  out of order beyond the look-ahead: ${n(context.late)}`)
  for (const { path, offset, bytes } of context.unread)
    lines.push(`  ${path}: ${bytes} bytes from offset ${offset} are half a line, left for the next read`)
  const { created, updated } = context.alerts
  lines.push(
    `identities ${n(context.identities)}, alerts ${n(created)}${updated > 0 ? ` (updated ${n(updated)} times)` : ''}, ${context.seconds.toFixed(1)} s, ${n(Math.round(counts.read / Math.max(0.001, context.seconds)))} records/s`,
  )
  return { text: lines.join('\n'), addsUp }
}

const sum = (counts: ReadonlyMap<string, number>): number => [...counts.values()].reduce((a, b) => a + b, 0)

const reasons = (counts: ReadonlyMap<string, number>): string =>
  [...counts]
    .sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1))
    .map(([reason, count]) => `${reason} ${count.toLocaleString('en')}`)
    .join(', ')
