import type { Draft } from '../../../ingest/activity.ts'
import type { Verdict } from '../../../ingest/outcome.ts'
import type { JsonObject, Source, SourceContext } from '../../../ingest/source.ts'

const context: SourceContext = {
  tenant: '',
  arrival: Date.UTC(2026, 10, 23),
  recordHash: () => 'hash-of-the-record',
}

/** One record, or line, through one gateway source. */
export function readBy(source: Source, record: JsonObject | string, tenant = ''): Verdict<Draft> {
  const object = typeof record === 'string' ? source.parseLine?.(record) : record
  if (object === undefined || object === null) throw new Error(`${source.id} does not read ${String(record)}`)
  return source.read(object, { ...context, tenant })
}

export function draftBy(source: Source, record: JsonObject | string, tenant = ''): Draft {
  const verdict = readBy(source, record, tenant)
  if (verdict.outcome !== 'accepted') throw new Error(`${verdict.outcome}: ${verdict.reason}`)
  return verdict.value
}
