import { Kafka, logLevel } from 'kafkajs'
import type { CompanyRecord } from '../../../datasets/company/record.ts'
import type { Broker, OutgoingMessage } from '../../../ingest/broker.ts'

/** Sends a synthetic company's records to the raw topics of their sources, each source in order. */
export async function sendCompany(
  broker: Broker,
  records: Iterable<readonly CompanyRecord[]>,
): Promise<number> {
  const producer = await broker.producer()
  const known = new Set<string>()
  let sent = 0
  for (const batch of records) {
    const byTopic = new Map<string, OutgoingMessage[]>()
    for (const { source, line } of batch) {
      const topic = `plumbline.raw.${source}`
      const messages = byTopic.get(topic) ?? []
      messages.push({ key: source, value: line, partition: 0 })
      byTopic.set(topic, messages)
    }
    for (const [topic, messages] of byTopic) {
      if (!known.has(topic)) await broker.ensureTopics([{ topic, partitions: 1 }])
      known.add(topic)
      for (let at = 0; at < messages.length; at += 250)
        await producer.send(topic, messages.slice(at, at + 250))
    }
    sent += batch.length
  }
  await producer.close()
  return sent
}

/** Messages that a group has not committed yet, over all topics that match. */
export async function lagOf(address: string, group: string, topics: RegExp): Promise<number> {
  const admin = new Kafka({ brokers: [address], clientId: 'lag', logLevel: logLevel.NOTHING }).admin()
  await admin.connect()
  try {
    let lag = 0
    const names = (await admin.listTopics()).filter((name) => topics.test(name))
    const stored = await admin.fetchOffsets({ groupId: group, topics: names })
    for (const topic of names) {
      const committed = new Map(
        stored.find((s) => s.topic === topic)?.partitions.map((p) => [p.partition, Number(p.offset)]),
      )
      for (const { partition, high } of await admin.fetchTopicOffsets(topic))
        lag += Number(high) - Math.max(0, committed.get(partition) ?? 0)
    }
    return lag
  } finally {
    await admin.disconnect()
  }
}
