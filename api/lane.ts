import type { Assignment, CommitOffset, Delivery, Message, TopicPartition } from '../ingest/broker.ts'
import { PartitionBooks, PoisonGuard, type PoisonLimits } from './conservation.ts'
import { Hearing } from './silence.ts'

/**
 * One ordered stream of work out of one or many partitions: messages in, batches through a sink, offsets committed once the
 * sink says that a batch is durable, never before.
 *
 *   deliver → queue of a partition → records, merged by event time → batch → sink → durable → commit
 *
 * - A partition with enough in its queue is paused: memory is bounded whatever the lag, and the others go on.
 * - Two batches are under way at most; natural batching: what has come meanwhile is the next batch.
 * - When a batch fails, it and those after it wait and are tried again, in order, from memory. Nothing is fetched meanwhile.
 * - When the group rebalances, what was not handed over is given back, and what was is not committed: it comes again, and
 *   is recognised.
 */
export interface LaneRecord {
  /** Event time, epoch ms. */
  readonly time: number
}

export interface LaneSink<R> {
  /**
   * Resolves when the records are durable, with `outcomes` filled in. Called in order, two at most at a time; `stream` is
   * new after a failure. Rejects when it could not; the same records come again.
   */
  readonly take: (records: readonly R[], outcomes: Uint8Array, stream: LaneStream) => Promise<void>
  /** A record that nobody could read. */
  readonly isDead: (record: R) => boolean
}

/** A run of batches; broken by its first failure. */
export interface LaneStream {
  broken: { readonly by: unknown } | null
}

/** What the lane asks of the consumer of the group. */
export interface LaneSource {
  commit(generation: number, offsets: readonly CommitOffset[]): Promise<boolean>
  pause(partitions: readonly TopicPartition[]): void
  resume(partitions: readonly TopicPartition[]): void
}

export interface LaneOptions<R> {
  readonly source: LaneSource
  readonly sink: LaneSink<R>
  readonly read: (message: Message, place: TopicPartition) => readonly R[]
  readonly clock: LaneClock
  readonly limits?: Partial<LaneLimits> | undefined
  readonly events: LaneEvents
}

export interface LaneClock {
  /** Monotonic milliseconds. */
  readonly now: () => number
  /** Resolves after a time, or at once when the signal fires. */
  readonly pause: (milliseconds: number, signal: AbortSignal) => Promise<void>
}

export interface LaneEvents {
  /** A batch failed and will be tried again. */
  readonly failed: (error: unknown, attempt: number) => void
  readonly recovered: (attempts: number) => void
  /** Too much of a partition cannot be read: it is stopped, and its records are kept in Kafka. */
  readonly flooded: (place: TopicPartition, offset: number) => void
}

export interface LaneLimits {
  readonly batchRecords: number
  /** Bytes of messages queued, of one partition and of all, from which on it is paused. */
  readonly partitionBytes: number
  readonly totalBytes: number
  /** Shortest time from the start of one batch to the next, unless a whole batch waits: fewer, wider inserts. */
  readonly intervalMs: number
  readonly firstRetryMs: number
  readonly longestRetryMs: number
  readonly poison: PoisonLimits
}

export const LANE_LIMITS: LaneLimits = {
  batchRecords: 20_000,
  partitionBytes: 8 * 1024 * 1024,
  totalBytes: 64 * 1024 * 1024,
  intervalMs: 250,
  firstRetryMs: 500,
  longestRetryMs: 5_000,
  poison: { run: 1000, share: 0.5, window: 2000 },
}

const BATCHES_UNDER_WAY = 2
/** Messages read before the event loop gets a turn. */
const SLICE = 200

interface Partition<R> {
  readonly place: TopicPartition
  readonly books: PartitionBooks
  readonly guard: PoisonGuard
  readonly deliveries: Delivery[]
  bytes: number
  paused: boolean
  flooded: boolean
  /** Records of the message at hand and how many of them are in batches. */
  records: readonly R[]
  taken: number
  /** Where the partition goes on once those are in batches. */
  next: number
  /** Which message of the first delivery is next. */
  at: number
  committed: number
  end: number
}

interface Share<R> {
  readonly partition: Partition<R>
  readonly from: number
  readonly to: number
}

interface Batch<R> {
  readonly generation: number
  readonly records: R[]
  readonly shares: Share<R>[]
  readonly offsets: ReadonlyMap<Partition<R>, number>
}

interface UnderWay<R> {
  readonly batch: Batch<R>
  outcomes: Uint8Array
  state: 'working' | 'durable' | 'failed'
  error: unknown
}

export class Lane<R extends LaneRecord> {
  readonly #options: LaneOptions<R>
  readonly #limits: LaneLimits
  readonly #books = new Map<string, PartitionBooks>()
  readonly #hearing = new Map<string, Hearing>()
  readonly #stop = new AbortController()
  #partitions = new Map<string, Partition<R>>()
  #generation = -1
  #bytes = 0
  #underWay: UnderWay<R>[] = []
  /** Records that are being put into a batch. */
  #gathered: Share<R>[] = []
  #stream: LaneStream = { broken: null }
  #attempts = 0
  #lastBatch = Number.NEGATIVE_INFINITY
  #movedAt: number
  #wake: () => void = () => {}
  #revoked = new AbortController()
  readonly #loop: Promise<void>

  constructor(options: LaneOptions<R>) {
    this.#options = options
    this.#limits = { ...LANE_LIMITS, ...options.limits }
    this.#movedAt = options.clock.now()
    this.#loop = this.#run()
  }

  assigned({ generation, partitions }: Assignment): void {
    this.revoked()
    this.#revoked = new AbortController()
    this.#generation = generation
    for (const place of partitions) {
      const key = keyOf(place)
      const books = this.#books.get(key) ?? new PartitionBooks(place, () => this.#inFlight(key))
      this.#books.set(key, books)
      this.#partitions.set(key, newPartition<R>(place, books, new PoisonGuard(this.#limits.poison)))
    }
    this.#movedAt = this.#options.clock.now()
    this.#wake()
  }

  /** Nothing is ours any more: queues are given back; batches under way finish, and are not committed. */
  revoked(): void {
    this.#generation = -1
    this.#revoked.abort()
    for (const partition of this.#partitions.values()) {
      partition.books.returned += partition.records.length - partition.taken
      partition.records = []
      partition.taken = 0
    }
    this.#partitions = new Map()
    this.#bytes = 0
    this.#wake()
  }

  deliver(delivery: Delivery): void {
    const partition = this.#partitions.get(keyOf(delivery))
    if (delivery.generation !== this.#generation || partition === undefined || partition.flooded) return
    const now = this.#options.clock.now()
    if (this.#idle()) this.#movedAt = now
    const key = keyOf(delivery)
    const hearing = this.#hearing.get(key) ?? new Hearing()
    this.#hearing.set(key, hearing)
    hearing.heard(now)
    const bytes = bytesOf(delivery)
    partition.deliveries.push(delivery)
    partition.bytes += bytes
    partition.end = delivery.endOffset
    this.#bytes += bytes
    if (partition.bytes >= this.#limits.partitionBytes || this.#bytes >= this.#limits.totalBytes)
      this.#hold(partition)
    this.#wake()
  }

  /** Batches that were handed over become durable and are committed; what was not comes again after the next start. */
  async stop(): Promise<void> {
    this.#stop.abort()
    this.#wake()
    await this.#loop
    this.revoked()
  }

  books(): Iterable<PartitionBooks> {
    return this.#books.values()
  }

  /** Messages that are in the log and not committed, by partition. */
  *lags(): Generator<TopicPartition & { readonly lag: number }> {
    for (const { place, committed, end } of this.#partitions.values())
      if (committed >= 0) yield { ...place, lag: Math.max(0, end - committed) }
  }

  /** Partitions of ours that have fallen silent, and for how long, milliseconds. */
  *silences(): Generator<TopicPartition & { readonly silentMs: number }> {
    for (const [key, { place }] of this.#partitions) {
      const silentMs = this.#hearing.get(key)?.silence(this.#options.clock.now()) ?? 0
      if (silentMs > 0) yield { ...place, silentMs }
    }
  }

  /** Why it does not get on, or null: a stopped partition, a failing sink, books that do not balance, no progress. */
  trouble(stallMs: number): string | null {
    for (const { place, flooded } of this.#partitions.values())
      if (flooded) return `${keyOf(place)} is stopped: too many records cannot be read`
    for (const books of this.#books.values())
      if (books.imbalance !== 0 || books.unaccounted !== 0)
        return `the books of ${keyOf(books.place)} do not balance by ${books.imbalance + books.unaccounted}`
    if (this.#attempts > 0) return 'the last batch could not be stored and is tried again'
    if (!this.#idle() && this.#options.clock.now() - this.#movedAt > stallMs)
      return 'nothing has moved for too long'
    return null
  }

  #idle(): boolean {
    return this.#underWay.length === 0 && this.#bytes === 0
  }

  #inFlight(key: string): number {
    const partition = this.#partitions.get(key)
    let records = partition === undefined ? 0 : partition.records.length - partition.taken
    for (const share of [...this.#underWay.flatMap(({ batch }) => batch.shares), ...this.#gathered])
      if (keyOf(share.partition.place) === key) records += share.to - share.from
    return records
  }

  async #run(): Promise<void> {
    for (;;) {
      await this.#settle()
      const stopping = this.#stop.signal.aborted
      if (stopping && (this.#underWay.length === 0 || this.#attempts > 0)) return
      if (!stopping && this.#underWay.length < BATCHES_UNDER_WAY && this.#bytes > 0) {
        await this.#linger()
        const batch = await this.#assemble()
        if (batch !== null) {
          this.#hand(batch)
          continue
        }
      }
      await this.#woken()
    }
  }

  #woken(): Promise<void> {
    const done = this.#stop.signal.aborted && this.#underWay.length === 0
    if (done || this.#underWay.some(({ state }) => state !== 'working')) return Promise.resolve()
    return new Promise((resolve) => {
      this.#wake = resolve
    })
  }

  /** Small batches wait for company: an insert costs the same for one row as for a thousand. */
  async #linger(): Promise<void> {
    const { clock } = this.#options
    const rest = this.#lastBatch + this.#limits.intervalMs - clock.now()
    if (rest > 0 && this.#bytes < this.#limits.partitionBytes)
      await clock.pause(rest, AbortSignal.any([this.#stop.signal, this.#revoked.signal]))
    this.#lastBatch = clock.now()
  }

  #hand(batch: Batch<R>): void {
    const work: UnderWay<R> = {
      batch,
      outcomes: new Uint8Array(batch.records.length),
      state: 'working',
      error: undefined,
    }
    this.#underWay.push(work)
    this.#start(work)
  }

  #start(work: UnderWay<R>): void {
    const stream = this.#stream
    work.outcomes.fill(0)
    work.state = work.batch.records.length === 0 ? 'durable' : 'working'
    if (work.state === 'durable') return
    this.#options.sink.take(work.batch.records, work.outcomes, stream).then(
      () => {
        work.state = 'durable'
        this.#wake()
      },
      (error: unknown) => {
        stream.broken ??= { by: error }
        work.state = 'failed'
        work.error = error
        this.#wake()
      },
    )
  }

  /** Commits what has become durable, in order; tries again what has failed, once everything after it has failed as well. */
  async #settle(): Promise<void> {
    for (;;) {
      const [first] = this.#underWay
      if (first === undefined || first.state === 'working') return
      if (first.state === 'durable') {
        this.#underWay.shift()
        await this.#account(first)
        continue
      }
      if (this.#underWay.some(({ state }) => state === 'working')) return
      if (!(await this.#again(first.error))) return
    }
  }

  async #account({ batch, outcomes }: UnderWay<R>): Promise<void> {
    for (const { partition, from, to } of batch.shares)
      for (let at = from; at < to; at++) partition.books.settle(outcomes[at] ?? 0)
    this.#movedAt = this.#options.clock.now()
    if (this.#attempts > 0) this.#options.events.recovered(this.#attempts)
    this.#attempts = 0
    const offsets = [...batch.offsets].map(([{ place }, offset]): CommitOffset => ({ ...place, offset }))
    const done = await this.#options.source.commit(batch.generation, offsets).catch((error: unknown) => {
      // Nothing is lost by a commit that failed: the next one says more.
      this.#options.events.failed(error, 0)
      return false
    })
    if (done) for (const [partition, offset] of batch.offsets) partition.committed = offset
  }

  /** False when it gave up: the process stops, and what was not stored comes again. */
  async #again(error: unknown): Promise<boolean> {
    // What belongs to somebody else by now is given back.
    this.#underWay = this.#underWay.filter(({ batch }) => {
      if (batch.generation === this.#generation) return true
      for (const { partition, from, to } of batch.shares) partition.books.returned += to - from
      return false
    })
    this.#stream = { broken: null }
    if (this.#underWay.length === 0) {
      this.#attempts = 0
      return true
    }
    this.#attempts += 1
    this.#options.events.failed(error, this.#attempts)
    if (this.#stop.signal.aborted) return false
    const wait = Math.min(
      this.#limits.firstRetryMs * 2 ** Math.min(this.#attempts - 1, 10),
      this.#limits.longestRetryMs,
    )
    await this.#options.clock.pause(wait, AbortSignal.any([this.#stop.signal, this.#revoked.signal]))
    if (this.#stop.signal.aborted) return false
    for (const work of this.#underWay) this.#start(work)
    return true
  }

  /** The next batch: records of all partitions that have some, by event time, each partition in its own order. */
  async #assemble(): Promise<Batch<R> | null> {
    const generation = this.#generation
    const records: R[] = []
    const shares: Share<R>[] = []
    this.#gathered = shares
    const offsets = new Map<Partition<R>, number>()
    let slice = 0
    while (records.length < this.#limits.batchRecords) {
      let first: Partition<R> | null = null
      let second = Number.POSITIVE_INFINITY
      for (const partition of this.#partitions.values()) {
        if (!this.#fill(partition, offsets)) continue
        const { time } = partition.records[partition.taken] ?? NEVER
        if (first === null || time < headTime(first)) {
          if (first !== null) second = Math.min(second, headTime(first))
          first = partition
        } else second = Math.min(second, time)
      }
      if (first === null) break
      const from = records.length
      this.#takeRun(first, records, second)
      if (records.length > from) shares.push({ partition: first, from, to: records.length })
      this.#advance(first, offsets)
      if (++slice % SLICE === 0) {
        await new Promise(setImmediate)
        if (generation !== this.#generation) break
      }
    }
    this.#gathered = []
    if (generation !== this.#generation) {
      for (const { partition, from, to } of shares) partition.books.returned += to - from
      return null
    }
    return offsets.size === 0 && records.length === 0 ? null : { generation, records, shares, offsets }
  }

  /** Takes records of the message at hand until another partition has an older one. */
  #takeRun(partition: Partition<R>, into: R[], until: number): void {
    const { records, guard } = partition
    let record = records[partition.taken]
    do {
      if (record === undefined) return
      if (guard.count(this.#options.sink.isDead(record))) {
        this.#flood(partition)
        return
      }
      into.push(record)
      partition.taken += 1
      record = records[partition.taken]
    } while (record !== undefined && record.time <= until && into.length < this.#limits.batchRecords)
  }

  #flood(partition: Partition<R>): void {
    partition.flooded = true
    partition.books.returned += partition.records.length - partition.taken
    partition.records = []
    partition.taken = 0
    this.#bytes -= partition.bytes
    partition.bytes = 0
    const offset = partition.deliveries[0]?.messages[partition.at - 1]?.offset ?? partition.next
    partition.deliveries.length = 0
    this.#hold(partition)
    this.#options.events.flooded(partition.place, offset)
  }

  /** Sees to it that the partition has a record at hand; false when it has nothing. */
  #fill(partition: Partition<R>, offsets: Map<Partition<R>, number>): boolean {
    while (partition.taken >= partition.records.length) {
      const [delivery] = partition.deliveries
      if (delivery === undefined || partition.flooded) return false
      const message = delivery.messages[partition.at]
      if (message === undefined) {
        this.#forget(partition, delivery)
        offsets.set(partition, delivery.nextOffset)
        continue
      }
      partition.at += 1
      partition.records = this.#options.read(message, partition.place)
      partition.taken = 0
      partition.next = message.offset + 1
      partition.books.fetched += partition.records.length
      if (partition.records.length === 0) offsets.set(partition, partition.next)
    }
    return true
  }

  #advance(partition: Partition<R>, offsets: Map<Partition<R>, number>): void {
    if (partition.flooded || partition.taken < partition.records.length) return
    partition.records = []
    partition.taken = 0
    offsets.set(partition, partition.next)
    const [delivery] = partition.deliveries
    if (delivery !== undefined && partition.at >= delivery.messages.length) {
      this.#forget(partition, delivery)
      offsets.set(partition, delivery.nextOffset)
    }
  }

  #forget(partition: Partition<R>, delivery: Delivery): void {
    const bytes = bytesOf(delivery)
    partition.deliveries.shift()
    partition.at = 0
    partition.bytes -= bytes
    this.#bytes -= bytes
    this.#letGo()
  }

  #hold(partition: Partition<R>): void {
    if (partition.paused) return
    partition.paused = true
    this.#options.source.pause([partition.place])
  }

  /** Resumes partitions that have room again. */
  #letGo(): void {
    if (this.#bytes >= this.#limits.totalBytes / 2) return
    for (const partition of this.#partitions.values()) {
      if (!partition.paused || partition.flooded || partition.bytes > this.#limits.partitionBytes / 4)
        continue
      partition.paused = false
      this.#options.source.resume([partition.place])
    }
  }
}

const NEVER: LaneRecord = { time: Number.POSITIVE_INFINITY }

const headTime = <R extends LaneRecord>(partition: Partition<R>): number =>
  (partition.records[partition.taken] ?? NEVER).time

function newPartition<R>(place: TopicPartition, books: PartitionBooks, guard: PoisonGuard): Partition<R> {
  return {
    place,
    books,
    guard,
    deliveries: [],
    bytes: 0,
    paused: false,
    flooded: false,
    records: [],
    taken: 0,
    next: 0,
    at: 0,
    committed: -1,
    end: -1,
  }
}

/** What a delivery holds in memory, with something for the objects around the bytes. */
function bytesOf({ messages }: Delivery): number {
  let bytes = 0
  for (const { key, value } of messages) bytes += 100 + (key?.length ?? 0) + (value?.length ?? 0)
  return bytes
}

const keyOf = ({ topic, partition }: TopicPartition): string => `${topic}/${partition}`
