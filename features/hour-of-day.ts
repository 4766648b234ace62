/**
 * How unusual activity at an hour of the day is: presence by hour, smoothed [1, 2, 1]/4 around the clock, plus ½ each;
 * p = mass of the hours that are less usual + ½ of the ties (detection-notes §3). `hours`: 24 decayed counts of active
 * hours. `hour`: 0..23, UTC.
 */
export function hourOfDayP(hours: ArrayLike<number>, hour: number): number {
  const smoothed: number[] = []
  let total = 0
  for (let h = 0; h < 24; h++) {
    const value = ((hours[(h + 23) % 24] ?? 0) + 2 * (hours[h] ?? 0) + (hours[(h + 1) % 24] ?? 0)) / 4 + 0.5
    smoothed.push(value)
    total += value
  }
  const own = smoothed[hour] ?? 0.5
  let lower = 0
  let ties = 0
  for (const value of smoothed) {
    if (value < own - 1e-9) lower += value
    else if (value <= own + 1e-9) ties += value
  }
  return (lower + 0.5 * ties) / total
}
