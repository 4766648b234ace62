/** Small drawings for the terminal: a shape over time is read faster than a table. */

const BARS = ' ▁▂▃▄▅▆▇█'

/** One character per value, scaled to the largest; zero is a blank. */
export function sparkline(values: readonly number[]): string {
  const most = Math.max(0, ...values)
  return values.map((v) => (v <= 0 ? ' ' : (BARS[Math.max(1, Math.round((v / most) * 8))] ?? '█'))).join('')
}

const DAYS = ['Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat', 'Sun'] as const

/** Hours of the week, a row per day, from a 7 × 24 grid of counts (row 0 is Monday). */
export function weekGrid(grid: readonly (readonly number[])[]): string[] {
  const most = Math.max(1, ...grid.flat())
  const lines = ['     0     6     12    18   23']
  grid.forEach((hours, day) => {
    const cells = hours
      .map((v) => (v <= 0 ? '·' : (BARS[Math.max(1, Math.ceil((v / most) * 8))] ?? '█')))
      .join('')
    lines.push(`${DAYS[day] ?? '?'}  ${cells}`)
  })
  return lines
}
