import { z } from 'zod'
import type { Draft } from '../../ingest/activity.ts'
import { accepted, filtered } from '../../ingest/outcome.ts'
import type { ReadRecord, SourceRecogniser } from '../../ingest/reader.ts'
import {
  createInterpreter,
  createReadTally,
  type ReadOptions,
  type ReadTally,
  readRecords,
} from '../../ingest/reader.ts'
import { defineSource, type JsonObject, type Source } from '../../ingest/source.ts'

/** Two small sources, so that these tests judge the way from bytes to records and not any real format. */

const about = {
  title: 'fake',
  kind: 'auth',
  sees: '',
  misses: '',
  needs: '',
  documentation: '',
  samples: [],
} as const

export function draftOf(id: string, time: number, hash: string): Draft {
  return {
    eventId: id,
    time,
    class: 'api_activity',
    identity: { id: 'one', kind: 'role', provider: 'fake', tenant: '', human: 'no', humanReason: '' },
    action: 'do',
    service: 'fake',
    accessLevel: 'read',
    outcome: 'success',
    details: { hash },
  }
}

/** `{"fake": "<id>", "t": <ms>}`; `skip` filters it; a `t` that is no number is dead. */
export const fakeJson: Source = defineSource({
  ...about,
  id: 'fake-json',
  format: 'json',
  recognises: (record) => typeof record.fake === 'string',
  schema: z.object({
    fake: z.string(),
    t: z.number(),
    skip: z.boolean().optional(),
    hash: z.boolean().optional(),
  }),
  normalise: (record, context) =>
    record.skip === true
      ? filtered('skipped')
      : accepted(draftOf(record.fake, record.t, record.hash === true ? context.recordHash() : '')),
})

/** `FAKE <ms> <id>` */
export const fakeText: Source = defineSource({
  ...about,
  id: 'fake-text',
  format: 'text',
  recognises: () => false,
  parseLine(line): JsonObject | null {
    const parts = line.split(' ', 3)
    if (parts[0] !== 'FAKE' || parts.length !== 3) return null
    return { id: parts[2], t: Number(parts[1]) }
  },
  schema: z.object({ id: z.string(), t: z.number() }),
  normalise: (record, context) => accepted(draftOf(record.id, record.t, context.recordHash())),
})

export const registry: SourceRecogniser = {
  recognise: (record) => (fakeJson.recognises(record) ? fakeJson : undefined),
  recogniseLine(line) {
    const record = fakeText.parseLine?.(line)
    return record === null || record === undefined ? undefined : { source: fakeText, record }
  },
}

export const ARRIVAL = Date.UTC(2026, 0, 1)
export const baseOptions = { registry, tenant: 'here', arrival: ARRIVAL, origin: 'test' }

export async function* chunksOf(bytes: Buffer, size = bytes.length): AsyncGenerator<Buffer> {
  for (let at = 0; at < bytes.length; at += size) yield Buffer.from(bytes.subarray(at, at + size))
}

export interface Read {
  readonly records: readonly ReadRecord[]
  readonly tally: ReadTally
}

export async function readAll(
  input: AsyncIterable<Buffer> | Buffer | string,
  options: Partial<ReadOptions> = {},
): Promise<Read> {
  const tally = createReadTally()
  const records: ReadRecord[] = []
  const bytes = typeof input === 'string' ? Buffer.from(input) : input
  const stream = Buffer.isBuffer(bytes) ? chunksOf(bytes, Math.max(1, bytes.length)) : bytes
  for await (const batch of readRecords(stream, { ...baseOptions, ...options, tally })) {
    for (const record of batch) records.push(record)
  }
  return { records, tally }
}

/** Interprets one line without a stream. */
export function interpret(text: string | Buffer): ReadRecord[] {
  const bytes = Buffer.from(text)
  const records: ReadRecord[] = []
  createInterpreter(baseOptions).interpretLine(
    { bytes, start: 0, end: bytes.length, line: 1, offset: 0, fault: undefined },
    records,
  )
  return records
}

/** `id@time`, `filtered:reason` or `dead:stage/reason`: a record in a word. */
export function wordOf({ verdict }: ReadRecord): string {
  if (verdict.outcome === 'accepted') return `${verdict.value.eventId}@${verdict.value.time}`
  return verdict.outcome === 'filtered'
    ? `filtered:${verdict.reason}`
    : `dead:${verdict.stage}/${verdict.reason}`
}

export const words = (records: readonly ReadRecord[]): string[] => records.map(wordOf)
export const fake = (id: string, t = 1): string => JSON.stringify({ fake: id, t })
export const bytesOfLetter = (record: ReadRecord | undefined): string =>
  record?.letter?.bytes.toString() ?? '(no letter)'
