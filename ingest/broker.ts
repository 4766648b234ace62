/**
 * The log broker as Plumbline needs it: a port of ours, so that the flow can be tried against a broker that fails on
 * command. `kafka.ts` is the real one.
 *
 * - **generation**: number of the assignment that a message was delivered under. When the group rebalances, the partitions
 *   may belong to another process a moment later: work of an older generation is stale, and its commits are dropped.
 * - **offset**: position in a partition; a committed offset is the next one to be read.
 */
export interface TopicPartition {
  readonly topic: string
  readonly partition: number
}

export interface Message {
  readonly offset: number
  /** Epoch ms: when the producer sent it or the broker appended it. */
  readonly timestamp: number
  readonly key: Buffer | null
  readonly value: Buffer | null
}

export interface Delivery extends TopicPartition {
  readonly generation: number
  readonly messages: readonly Message[]
  /** Where the partition goes on after these messages; markers of transactions are skipped. */
  readonly nextOffset: number
  /** Offset that the next message written to the partition will get. */
  readonly endOffset: number
}

export interface Assignment {
  readonly generation: number
  /** Exactly one member of a group leads it: the one that was there first. */
  readonly leader: boolean
  readonly partitions: readonly TopicPartition[]
}

/** Records that the broker deleted, or a topic that was made anew, before the group had read them. */
export interface Gap extends TopicPartition {
  readonly reason: 'log-truncated' | 'offset-beyond-end'
  /** First offset that was due. */
  readonly from: number
  /** First offset that is there. */
  readonly to: number
}

export interface ConsumerEvents {
  /** These partitions are ours from now on; everything of an earlier generation is stale. Deliveries follow. */
  assigned(assignment: Assignment): void
  /** The group is being rebalanced: nothing is ours until `assigned`. */
  revoked(): void
  /** Must take the messages at once, and `pause` the partition when it has enough. */
  deliver(delivery: Delivery): void
  gap(gap: Gap): void
  /** The consumer stumbled and tries again by itself (broker gone, undecodable batch). */
  trouble(error: unknown): void
  /** The consumer gave up: the process must end with an error. */
  failed(error: unknown): void
}

export interface Consumer {
  /** Resolves when the group was joined for the first time. Rejects with BrokerError `broker-unreachable`. */
  start(): Promise<void>
  /** False when the generation is stale: nothing was committed, and the messages come again, here or elsewhere. */
  commit(generation: number, offsets: readonly CommitOffset[]): Promise<boolean>
  /** True while the generation is the latest and the group has heard of us lately. */
  isCurrent(generation: number): boolean
  pause(partitions: readonly TopicPartition[]): void
  resume(partitions: readonly TopicPartition[]): void
  /** Leaves the group. */
  stop(): Promise<void>
}

export interface CommitOffset extends TopicPartition {
  readonly offset: number
}

export interface OutgoingMessage {
  readonly key: string
  readonly value: string | Buffer
  /** Chosen by the broker's partitioner (murmur2 of the key) when absent. */
  readonly partition?: number | undefined
  readonly headers?: Readonly<Record<string, string>> | undefined
}

export interface Producer {
  /** Resolves when all in-sync replicas have the messages. In the order given within a partition. */
  send(topic: string, messages: readonly OutgoingMessage[]): Promise<void>
  close(): Promise<void>
}

export interface ConsumerOptions {
  readonly group: string
  /** Names, and patterns of names: topics that match a pattern later are taken in when they appear. */
  readonly topics: readonly (string | RegExp)[]
  readonly events: ConsumerEvents
  readonly clientId?: string | undefined
}

export interface Broker {
  consumer(options: ConsumerOptions): Consumer
  producer(): Promise<Producer>
  /** Creates the topics that are missing. */
  ensureTopics(topics: readonly { readonly topic: string; readonly partitions: number }[]): Promise<void>
  /** Number of partitions of a topic. */
  partitions(topic: string): Promise<number>
  close(): Promise<void>
}

export type BrokerErrorCode = 'broker-unreachable' | 'broker-refused' | 'broker-settings'

export class BrokerError extends Error {
  readonly code: BrokerErrorCode

  constructor(code: BrokerErrorCode, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause })
    this.name = 'BrokerError'
    this.code = code
  }
}
