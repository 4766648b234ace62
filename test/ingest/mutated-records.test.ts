import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { describe, expect, it } from 'vitest'
import type { Draft } from '../../ingest/activity.ts'
import { isJsonObject } from '../../ingest/container.ts'
import type { Verdict } from '../../ingest/outcome.ts'
import { createInterpreter, type ReadRecord } from '../../ingest/reader.ts'
import type { JsonObject, Source, SourceContext } from '../../ingest/source.ts'
import { loadSources } from '../../ingest/sources.ts'

/**
 * Real records, damaged at random (seeded), through every source: no source throws, changes its input, answers twice
 * differently, or accepts what is no event. Real logs come from a folder beside the project; without it, the documented
 * samples of the sources are damaged instead.
 */

const SEED = 20_260_101
const MUTANTS = 12_000
const DATA = new URL('../../../shared/data/', import.meta.url).pathname
const LAST_TIME = Date.UTC(9999, 11, 31, 23, 59, 59, 999)

const present = existsSync(DATA)
if (!present) console.warn(`SKIPPED: real records, ${DATA} is missing`)

const registry = await loadSources()
const sources: readonly Source[] = registry.all

/** Lines of real logs, at most 60 of each file, spread over it. */
function realLines(): string[] {
  const lines: string[] = []
  for (const name of readdirSync(DATA, { recursive: true, encoding: 'utf8' }).sort()) {
    if (!name.endsWith('.gz')) continue
    const all = gunzipSync(readFileSync(join(DATA, name)))
      .toString()
      .split('\n')
      .filter((line) => line !== '')
    const step = Math.max(1, Math.floor(all.length / 60))
    for (let i = 0; i < all.length && i < step * 60; i += step) lines.push(all[i] ?? '')
  }
  return lines
}

const sampleLines = sources.flatMap(({ samples }) =>
  samples.map(({ record }) => (typeof record === 'string' ? record : JSON.stringify(record))),
)

/** mulberry32: small, seeded, good enough to damage things. */
function random(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 0x1_0000_0000
  }
}

type Random = () => number
const pick = <T>(values: readonly T[], next: Random, otherwise: T): T =>
  values[Math.floor(next() * values.length)] ?? otherwise

/** JSON text of values that do not belong where they are put. */
const STRANGERS = [
  'null',
  'true',
  '0',
  '-1',
  '1e999',
  '9007199254740993',
  '253402300800000',
  '""',
  '"-"',
  '"\\u0000"',
  '"\\ud800"',
  '"__proto__"',
  '"1969-12-31T23:59:59Z"',
  '"9999-12-31T23:59:59.999999999Z"',
  '"2026-02-30T25:61:61Z"',
  '"999.999.999.999"',
  '"::ffff:10.0.0.1%eth0"',
  '"arn:aws:iam::123456789012:role/"',
  '"system:serviceaccount:"',
  '"../../etc/passwd"',
  '[]',
  '{}',
  '[null]',
  '[[[]]]',
  '[1,"a",{}]',
  '{"__proto__":{"polluted":true}}',
  '{"toString":null,"length":-1}',
  JSON.stringify('x'.repeat(20_000)),
  JSON.stringify('a/'.repeat(5000)),
  JSON.stringify('"=,\\'.repeat(2000)),
  `${'['.repeat(500)}${']'.repeat(500)}`,
] as const

interface Slot {
  readonly holder: Record<string, unknown> | unknown[]
  readonly key: string | number
}

function slotsOf(value: unknown, slots: Slot[] = []): Slot[] {
  if (Array.isArray(value)) {
    value.forEach((element: unknown, key) => {
      slots.push({ holder: value, key })
      slotsOf(element, slots)
    })
  } else if (typeof value === 'object' && value !== null) {
    const holder: Record<string, unknown> = Object.assign(value)
    for (const key of Object.keys(holder)) {
      slots.push({ holder, key })
      slotsOf(holder[key], slots)
    }
  }
  return slots
}

/** One to three fields changed: replaced by a stranger, removed, moved from elsewhere, or damaged inside their text. */
function mutateObject(line: string, next: Random): string {
  const root: unknown = JSON.parse(line)
  for (let times = 1 + Math.floor(next() * 3); times > 0; times--) {
    const slots = slotsOf(root)
    const slot = slots[Math.floor(next() * slots.length)]
    if (slot === undefined) break
    const { holder, key } = slot
    const before = Reflect.get(holder, key)
    const how = next()
    if (how < 0.15) Reflect.deleteProperty(holder, key)
    else if (how < 0.3) {
      const other = slots[Math.floor(next() * slots.length)]
      // By way of JSON, so that no value contains itself.
      const moved = other === undefined ? null : Reflect.get(other.holder, other.key)
      Reflect.set(holder, key, JSON.parse(JSON.stringify(moved ?? null)))
    } else if (how < 0.5 && typeof before === 'string') Reflect.set(holder, key, mutateText(before, next))
    else Reflect.set(holder, key, JSON.parse(pick(STRANGERS, next, 'null')))
  }
  const text = JSON.stringify(root)
  // The prototype can only be attacked in the text: JSON.stringify does not write it.
  return next() < 0.05 && text.startsWith('{"') ? `{"__proto__":{"polluted":true},${text.slice(1)}` : text
}

function mutateText(text: string, next: Random): string {
  const at = Math.floor(next() * text.length)
  const to = at + Math.floor(next() * 20)
  switch (Math.floor(next() * 5)) {
    case 0:
      return text.slice(0, at)
    case 1:
      return text.slice(0, at) + text.slice(to)
    case 2:
      return text.slice(0, to) + text.slice(at)
    case 3:
      return `${text.slice(0, at)}${String.fromCharCode(1 + Math.floor(next() * 0x2ff))}${text.slice(at + 1)}`
    default:
      return `${text.slice(0, at)}${pick(['"', '=', ' ', '[', ':', '\\', '/', '-', '\u2028'], next, ' ').repeat(1 + Math.floor(next() * 50))}${text.slice(at)}`
  }
}

function mutate(line: string, next: Random): string {
  const damaged = line.startsWith('{') && next() < 0.9 ? mutateObject(line, next) : mutateText(line, next)
  return damaged.replaceAll('\n', ' ')
}

/** After every sample and every real record. */
const ARRIVAL = Date.UTC(2026, 11, 31)
const context: SourceContext = { tenant: 'here', arrival: ARRIVAL, recordHash: () => '0'.repeat(32) }

function parsed(line: string): JsonObject | undefined {
  try {
    const value: unknown = JSON.parse(line)
    return isJsonObject(value) ? value : undefined
  } catch {
    return undefined
  }
}

/** Problems of a verdict, none when it is in order. */
function faultsOf(verdict: Verdict<Draft>): string[] {
  switch (verdict.outcome) {
    case 'accepted': {
      const { time, eventId, identity, action, service, origin } = verdict.value
      const faults: string[] = []
      if (!(Number.isFinite(time) && time >= 0 && time <= LAST_TIME)) faults.push(`time ${time}`)
      for (const text of [eventId, identity.id, identity.tenant, action, service, origin ?? '']) {
        if (typeof text !== 'string') faults.push(`not a string: ${typeof text}`)
      }
      if (eventId === '') faults.push('no event id')
      if (identity.id === '') faults.push('no identity')
      return faults
    }
    case 'filtered':
      return /^[a-z0-9-]+$/.test(verdict.reason) ? [] : [`reason ${verdict.reason}`]
    case 'dead':
      // `source-fault` is an exception inside a source: survived, and still a bug.
      return verdict.reason === 'source-fault' || verdict.detail.length > 300 ? [verdict.detail] : []
    default:
      return ['no verdict']
  }
}

/** What is wrong with the answers of all sources to one line. */
function examine(line: string): string[] {
  const problems: string[] = []
  const ask = (source: Source, record: JsonObject): void => {
    const before = JSON.stringify(record)
    const first = source.read(record, context)
    const second = source.read(record, context)
    for (const fault of faultsOf(first)) problems.push(`${source.id}: ${fault}`)
    if (JSON.stringify(first) !== JSON.stringify(second)) problems.push(`${source.id}: two answers`)
    if (JSON.stringify(record) !== before) problems.push(`${source.id}: changed the record`)
  }
  const record = parsed(line)
  for (const source of sources) {
    if (source.format === 'json') {
      if (record === undefined) continue
      source.recognises(record)
      ask(source, record)
    } else {
      const fields = source.parseLine?.(line)
      if (fields !== undefined && fields !== null) ask(source, fields)
    }
  }
  return problems
}

function interpret(line: string): ReadRecord[] {
  const records: ReadRecord[] = []
  const bytes = Buffer.from(line)
  createInterpreter({ registry, tenant: 'here', arrival: ARRIVAL, origin: 'mutant' }).interpretLine(
    { bytes, start: 0, end: bytes.length, line: 1, offset: 0, fault: undefined },
    records,
  )
  return records
}

function check(lines: readonly string[]): void {
  const next = random(SEED)
  const seen: Record<string, number> = { accepted: 0, filtered: 0, dead: 0 }
  for (let i = 0; i < MUTANTS; i++) {
    const line = mutate(pick(lines, next, ''), next)
    const problems = examine(line)
    if (problems.length > 0) expect.fail(`mutant ${i}: ${problems.join('; ')}\n${line.slice(0, 4000)}`)
    const records = interpret(line)
    const record = parsed(line)
    if (record === undefined || registry.recognise(record) !== undefined) {
      if (line.trim() !== '' && !line.startsWith('[')) expect(records.length, line.slice(0, 2000)).toBe(1)
    }
    for (const { verdict, letter } of records) {
      seen[verdict.outcome] = (seen[verdict.outcome] ?? 0) + 1
      expect(letter !== undefined).toBe(verdict.outcome === 'dead')
    }
  }
  // Damage that everything survives, or nothing, would prove nothing.
  expect(seen.accepted).toBeGreaterThan(MUTANTS / 10)
  expect(seen.dead).toBeGreaterThan(MUTANTS / 20)
  expect(Reflect.get({}, 'polluted')).toBeUndefined()
  expect(Object.keys(Object.prototype)).toEqual([])
}

describe('mutated records', () => {
  it('the folder of real records is there in CI', () => {
    if (process.env.CI) expect(present).toBe(true)
  })

  it('damaged samples get one verdict each, from every source', () => {
    expect(sampleLines.length).toBeGreaterThan(sources.length)
    check(sampleLines)
  })

  it.skipIf(!present)('damaged real records get one verdict each, from every source', () => {
    const lines = realLines()
    expect(lines.length).toBeGreaterThan(500)
    check(lines)
  })
})
