import type { Company } from './company.ts'
import type { CompanyRecord } from './record.ts'

/** Anything that brings records of its own, in order of time: an injected attack. */
export interface Added {
  readonly records: readonly CompanyRecord[]
}

/**
 * The company's records with from ≤ time < to and the added ones of that interval among them, in order of time. At equal
 * times the company's come first.
 */
export function* withAttacks(
  company: Company,
  added: readonly Added[],
  from: number,
  to: number,
): Generator<CompanyRecord[]> {
  const extra = added
    .flatMap(({ records }) => records)
    .filter(({ time }) => time >= from && time < to)
    .sort((a, b) => a.time - b.time)
  let next = 0
  for (const batch of company.records(from, to)) {
    const last = batch.at(-1)?.time ?? from
    let due = extra[next]
    if (due === undefined || due.time > last) {
      yield batch
      continue
    }
    const merged: CompanyRecord[] = []
    for (const record of batch) {
      for (; due !== undefined && due.time < record.time; due = extra[++next]) merged.push(due)
      merged.push(record)
    }
    yield merged
  }
  if (next < extra.length) yield extra.slice(next)
}
