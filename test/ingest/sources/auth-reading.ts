import { createHash } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import { gunzipSync } from 'node:zlib'
import { describe, expect, it } from 'vitest'
import type { Draft } from '../../../ingest/activity.ts'
import { isJsonObject } from '../../../ingest/json-values.ts'
import type { Verdict } from '../../../ingest/outcome.ts'
import type { JsonObject, Source, SourceContext } from '../../../ingest/source.ts'

/** What the tests of the auth sources share: reading as the runner does, and the real logs where they are at hand. */

const DATA = '/work/shared/data'
export const ARRIVAL = Date.parse('2026-03-02T09:00:00Z')

export function contextOf(record: JsonObject | string, rest: Partial<SourceContext> = {}): SourceContext {
  return {
    tenant: '',
    arrival: ARRIVAL,
    recordHash: () =>
      createHash('sha256')
        .update(typeof record === 'string' ? record : JSON.stringify(record))
        .digest('hex')
        .slice(0, 32),
    ...rest,
  }
}

/** As the runner: `recognises` for objects, `parseLine` for text; undefined when the source does not know the record. */
export function read(
  source: Source,
  record: JsonObject | string,
  rest: Partial<SourceContext> = {},
): Verdict<Draft> | undefined {
  const parsed =
    typeof record === 'string'
      ? (source.parseLine?.(record) ?? null)
      : source.recognises(record)
        ? record
        : null
  return parsed === null ? undefined : source.read(parsed, contextOf(record, rest))
}

export function draftOf(verdict: Verdict<Draft> | undefined): Draft {
  if (verdict?.outcome !== 'accepted') throw new Error(`not accepted: ${JSON.stringify(verdict)}`)
  return verdict.value
}

export function at(value: unknown, path: string): unknown {
  return path
    .split('.')
    .reduce<unknown>(
      (here, key) => (typeof here === 'object' && here !== null ? Reflect.get(here, key) : undefined),
      value,
    )
}

export function describeSamples(source: Source): void {
  describe('samples', () => {
    it.each(source.samples.map((sample) => [sample.name, sample] as const))(
      '%s',
      (_name, { record, expect: wanted }) => {
        const verdict = read(source, record)
        if (wanted.outcome !== 'accepted') {
          expect(verdict).toMatchObject(wanted)
          return
        }
        const draft = draftOf(verdict)
        for (const [path, value] of Object.entries(wanted.draft))
          expect([path, at(draft, path)]).toEqual([path, value])
      },
    )
  })
}

/** Is the folder of real logs here? Says so loudly when not; in CI its absence is a failure. */
export function hasData(folder: string): boolean {
  const there = existsSync(`${DATA}/${folder}`)
  if (!there) console.warn(`SKIPPED: ${DATA}/${folder} is missing`)
  if (!there && process.env.CI) throw new Error(`${DATA}/${folder} is missing in CI`)
  return there
}

export function realLines(file: string): string[] {
  return gunzipSync(readFileSync(`${DATA}/${file}`))
    .toString('utf8')
    .split('\n')
    .filter((line) => line !== '')
}

export function realRecords(file: string): JsonObject[] {
  return realLines(file).map((line) => {
    const record: unknown = JSON.parse(line)
    if (!isJsonObject(record)) throw new Error(`${file}: not an object`)
    return record
  })
}

/** How many verdicts there are of each: `accepted`, `filtered:reason`, `dead:reason`, `unknown`. */
export function tally(verdicts: readonly (Verdict<Draft> | undefined)[]): Record<string, number> {
  const counts: Record<string, number> = {}
  for (const verdict of verdicts) {
    const key =
      verdict === undefined
        ? 'unknown'
        : verdict.outcome === 'accepted'
          ? 'accepted'
          : `${verdict.outcome}:${verdict.reason}`
    counts[key] = (counts[key] ?? 0) + 1
  }
  return counts
}

export function countBy<T>(values: readonly T[], of: (value: T) => string): Record<string, number> {
  const counts: Record<string, number> = {}
  for (const value of values) counts[of(value)] = (counts[of(value)] ?? 0) + 1
  return counts
}

export const draftsOf = (verdicts: readonly (Verdict<Draft> | undefined)[]): Draft[] =>
  verdicts.flatMap((verdict) => (verdict?.outcome === 'accepted' ? [verdict.value] : []))
