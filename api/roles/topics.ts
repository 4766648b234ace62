import type { Producer } from '../../ingest/broker.ts'
import { deadLetterUid } from '../../ingest/dead-letters.ts'
import type { DeadLetter } from '../../ingest/outcome.ts'
import type { Source } from '../../ingest/source.ts'
import type { SourceRegistry } from '../../ingest/sources.ts'
import { toDetectionFinding } from '../outputs/ocsf.ts'
import type { PublishedAlert } from '../pipeline.ts'

/** The topics Plumbline reads and writes, by their common prefix. */
export interface Topics {
  readonly raw: readonly RawTopic[]
  readonly activity: string
  readonly alerts: string
  readonly deadLetters: string
}

/**
 * A topic with logs in it, by name or pattern, and which source its records are of; `auto`: recognised one by one; '': the
 * last word of the topic says.
 */
export interface RawTopic {
  readonly topic: string | RegExp
  readonly source: string
}

/** `plumbline.raw.<source>` and `plumbline.raw.auto`, then those named by settings; `*` in a name stands for anything. */
export function topicsOf(
  prefix: string,
  named: readonly { readonly topic: string; readonly source: string }[],
): Topics {
  const patterns = named.map(({ topic, source }) => ({
    topic: topic.includes('*') ? new RegExp(`^${topic.split('*').map(escaped).join('.*')}$`) : topic,
    source,
  }))
  return {
    raw: [...patterns, { topic: new RegExp(`^${escaped(prefix)}\\.raw\\.[a-z0-9-]+$`), source: '' }],
    activity: `${prefix}.activity`,
    alerts: `${prefix}.alerts`,
    deadLetters: `${prefix}.dead-letters`,
  }
}

const escaped = (text: string): string => text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')

/** The source of a raw topic; undefined when its records are to be recognised. */
export function sourceOfTopic(
  topics: Topics,
  topic: string,
  registry: Pick<SourceRegistry, 'byId'>,
): Source | undefined {
  const named = topics.raw.find((raw) =>
    typeof raw.topic === 'string' ? raw.topic === topic : raw.topic.test(topic),
  )
  return registry.byId(
    named === undefined || named.source === '' ? topic.slice(topic.lastIndexOf('.') + 1) : named.source,
  )
}

/** Tells alerts to whoever listens: OCSF Detection Findings keyed by identity, so that one identity's come in order. */
export async function publishAlerts(
  producer: Producer,
  topic: string,
  alerts: readonly PublishedAlert[],
  version: string,
): Promise<void> {
  await producer.send(
    topic,
    alerts.map(({ alert, change }) => ({
      key: alert.identity.id,
      value: JSON.stringify(toDetectionFinding(alert, change, version)),
      headers: { uid: alert.uid, change },
    })),
  )
}

/** Brokers take 1 MiB at once of a partition unless told otherwise; kafkajs takes ever longer over more messages. */
const BATCH_BYTES = 512 * 1024
const BATCH_MESSAGES = 1000
const LARGEST_BYTES = 900 * 1024

/** The original bytes of what nobody could use; where they stood and why they were refused is in the headers. */
export async function publishDeadLetters(
  producer: Producer,
  topic: string,
  letters: readonly DeadLetter[],
): Promise<void> {
  let batch: Parameters<Producer['send']>[1][number][] = []
  let bytes = 0
  for (const letter of letters) {
    const full = batch.length >= BATCH_MESSAGES || bytes + letter.bytes.length > BATCH_BYTES
    if (full && batch.length > 0) {
      await producer.send(topic, batch)
      batch = []
      bytes = 0
    }
    batch.push(messageOf(letter))
    bytes += letter.bytes.length
  }
  if (batch.length > 0) await producer.send(topic, batch)
}

const ORIGIN = /^(?<topic>.+)\/(?<partition>\d+)@(?<offset>\d+)$/

function messageOf(letter: DeadLetter) {
  const { verdict, position, source, bytes } = letter
  const place = ORIGIN.exec(position.origin)?.groups
  const uid = deadLetterUid(letter)
  return {
    key: uid,
    // With its headers a message that just fitted would fit no more; the store has the bytes whatever their size.
    value: bytes.length > LARGEST_BYTES ? Buffer.alloc(0) : bytes,
    headers: {
      bytes: String(bytes.length),
      uid,
      stage: verdict.stage,
      reason: verdict.reason,
      detail: verdict.detail,
      source,
      topic: place?.topic ?? '',
      partition: place?.partition ?? '',
      offset: place?.offset ?? '',
      line: String(position.line),
      index: String(position.index),
    },
  }
}
