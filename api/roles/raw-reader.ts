import type { Message, TopicPartition } from '../../ingest/broker.ts'
import { createMessageReader, type MessageReader } from '../../ingest/message-reader.ts'
import type { ReadRecord } from '../../ingest/reader.ts'
import type { SourceRegistry } from '../../ingest/sources.ts'
import { sourceOfTopic, type Topics } from './topics.ts'

/** Reads messages of raw topics, each topic with its own source and its own memory of what its records look like. */
export function rawReader(
  topics: Topics,
  registry: SourceRegistry,
  now: () => number,
): (message: Message, place: TopicPartition) => ReadRecord[] {
  const readers = new Map<string, MessageReader>()
  return (message, place) => {
    let reader = readers.get(place.topic)
    if (reader === undefined) {
      reader = createMessageReader({
        registry,
        source: sourceOfTopic(topics, place.topic, registry),
        tenant: '',
        now,
      })
      readers.set(place.topic, reader)
    }
    return reader(message, place)
  }
}
