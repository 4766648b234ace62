import type { ReadRecord } from '../ingest/reader.ts'
import type { Engine } from './engine.ts'
import type { Logger } from './logger.ts'
import type { Metrics } from './metrics.ts'
import { addCounts, type BatchCounts, type PipelineRecord } from './pipeline.ts'
import { Problem } from './problem.ts'

/**
 * The one door into the pipeline: requests and watched folders hand over batches, and they are taken one after the other.
 * A batch is answered for once it is durable and published, not before; storing one overlaps with scoring the next.
 *
 * When a batch fails, it and the two before it (whose writes may be what failed) are refused; all may be handed over
 * again, because what is stored is recognised. Until something goes through again the intake is not ready, and it tries
 * by itself.
 */
export interface Intake<R extends PipelineRecord = ReadRecord> {
  /**
   * Resolves with the counts of these records when they are durable; rejects with what failed, or `shutting-down`.
   * Batches of one `stream` are taken in order: after one was refused, all later ones are, until a new stream begins.
   * `outcomes` is filled in with what became of each record.
   */
  ingest(records: readonly R[], options?: IngestOptions): Promise<BatchCounts>
  /**
   * Waits for a place among the inputs that are read at the same time, which is what bounds memory; gives the function
   * that leaves it. Rejects with `overloaded` when too many wait, and with `shutting-down`.
   */
  admit(): Promise<() => void>
  /** Records handed over and not yet durable. */
  queuedRecords(): number
  /** The last thing that was tried went through, and nothing has been waiting for an answer of the store for too long. */
  ready(): boolean
  /** Refuses what comes from now on and waits for what is here. */
  close(): Promise<void>
}

export interface IngestOptions {
  readonly stream?: IntakeStream | undefined
  readonly outcomes?: Uint8Array | undefined
}

/** Batches whose order matters. Begun by the caller with `{ broken: null }`. */
export interface IntakeStream {
  broken: { readonly by: unknown } | null
}

export interface IntakeOptions<R extends PipelineRecord = ReadRecord> {
  readonly engine: Pick<Engine, 'durable' | 'reopen'> & {
    take(records: readonly R[], outcomes?: Uint8Array): Promise<BatchCounts>
  }
  readonly metrics: Pick<Metrics, 'batch' | 'storeError'>
  readonly logger: Pick<Logger, 'error' | 'info'>
  /** First pause before trying again by itself, milliseconds; doubles up to 30 s. Default 1000. */
  readonly retryMs?: number | undefined
  /** Without progress for this long while something waits, it is not ready, milliseconds. Default 60 000. */
  readonly stallMs?: number | undefined
  /** Inputs read at the same time, default 8, and waiting for it, default 64. */
  readonly running?: number | undefined
  readonly waiting?: number | undefined
}

interface Job<R> extends IngestOptions {
  readonly records: readonly R[]
  readonly since: number
  readonly resolve: (counts: BatchCounts) => void
  readonly reject: (error: unknown) => void
}
interface Taken<R> {
  readonly job: Job<R>
  readonly counts: BatchCounts
}

const LONGEST_RETRY_MS = 30_000
const STALL_MS = 60_000

export function createIntake<R extends PipelineRecord = ReadRecord>(options: IntakeOptions<R>): Intake<R> {
  const { engine, metrics, logger } = options
  const queue: Job<R>[] = []
  let queued = 0
  /** When something last went through, or failed, or began to wait. */
  let movedAt = 0
  let loop: Promise<void> | undefined
  let failures = 0
  let closed = false
  let probeDue = false
  let timer: NodeJS.Timeout | undefined
  const gate = createGate(options.running ?? 8, options.waiting ?? 64)

  const done = ({ job, counts }: Taken<R>): void => {
    queued -= job.records.length
    movedAt = performance.now()
    metrics.batch(counts, {
      given: job.records.length,
      lastTime: lastTimeOf(job.records),
      seconds: (performance.now() - job.since) / 1000,
    })
    succeeded()
    job.resolve(counts)
  }
  const refuse = (job: Job<R>, error: unknown): void => {
    queued -= job.records.length
    movedAt = performance.now()
    if (job.stream !== undefined) job.stream.broken ??= { by: error }
    job.reject(error)
  }
  const stalled = (): boolean => queued > 0 && performance.now() - movedAt > (options.stallMs ?? STALL_MS)
  const succeeded = (): void => {
    if (failures > 0) logger.info({ failures }, 'the store takes batches again')
    failures = 0
  }
  const failed = (error: unknown): void => {
    failures += 1
    metrics.storeError()
    logger.error({ err: error, failures }, 'a batch could not be stored; nothing of it was acknowledged')
    if (closed) return
    clearTimeout(timer)
    const pause = Math.min((options.retryMs ?? 1000) * 2 ** Math.min(failures - 1, 15), LONGEST_RETRY_MS)
    timer = setTimeout(() => {
      probeDue = true
      run()
    }, pause)
    timer.unref()
  }

  async function drain(): Promise<void> {
    /** Taken and perhaps not yet durable: `take` waits for the batch two before it. */
    let pending: Taken<R>[] = []
    for (;;) {
      const job = queue.shift()
      if (job?.stream?.broken) {
        refuse(job, job.stream.broken.by)
        continue
      }
      try {
        if (job !== undefined) {
          const counts = await engine.take(job.records, job.outcomes)
          if (pending.length === 2) for (const durable of pending.splice(0, 1)) done(durable)
          pending.push({ job, counts })
        } else if (pending.length > 0) {
          await engine.durable()
          for (const durable of pending.splice(0)) done(durable)
        } else if (probeDue) {
          probeDue = false
          if (failures === 0) continue
          await engine.reopen()
          succeeded()
        } else return
      } catch (error) {
        for (const taken of pending) refuse(taken.job, error)
        if (job !== undefined) refuse(job, error)
        pending = []
        failed(error)
      }
    }
  }

  function run(): void {
    loop ??= drain().finally(() => {
      loop = undefined
      if (queue.length > 0) run()
    })
  }

  return {
    ingest: (records, ingestOptions) =>
      new Promise((resolve, reject) => {
        if (closed) {
          reject(shuttingDown())
          return
        }
        if (queued === 0) movedAt = performance.now()
        queued += records.length
        queue.push({ ...ingestOptions, records, since: performance.now(), resolve, reject })
        run()
      }),
    admit: () => (closed ? Promise.reject(shuttingDown()) : gate.enter()),
    queuedRecords: () => queued,
    ready: () => failures === 0 && !closed && !stalled(),
    async close() {
      closed = true
      clearTimeout(timer)
      gate.close()
      // Again and again: what came in the moment the loop ended has begun another one.
      while (loop !== undefined) await loop
    },
  }
}

const shuttingDown = (): Problem => new Problem('shutting-down', 'The server is shutting down.')

function lastTimeOf(records: readonly PipelineRecord[]): number {
  let last = Number.NEGATIVE_INFINITY
  for (const record of records) {
    const { outcome } = 'activity' in record ? record.activity : record.verdict
    if (outcome === 'accepted' && record.time > last) last = record.time
  }
  return last
}

interface Gate {
  enter(): Promise<() => void>
  close(): void
}

/** At most `running` inside, at most `waiting` before the door, in order. */
function createGate(running: number, waiting: number): Gate {
  const line: { readonly open: () => void; readonly refuse: (error: Problem) => void }[] = []
  let inside = 0
  const leaver = (): (() => void) => {
    let left = false
    return () => {
      if (left) return
      left = true
      inside -= 1
      line.shift()?.open()
    }
  }
  return {
    enter: () =>
      new Promise((resolve, reject) => {
        const open = (): void => {
          inside += 1
          resolve(leaver())
        }
        if (inside < running) open()
        else if (line.length < waiting) line.push({ open, refuse: reject })
        else reject(new Problem('overloaded', `${running} requests are read and ${waiting} wait already.`))
      }),
    close() {
      for (const { refuse } of line.splice(0)) refuse(shuttingDown())
    },
  }
}

/**
 * Records of a batch. Scoring a batch does not let the event loop turn, and storing it costs several inserts whatever its
 * size: fewer records answer other requests sooner, more are cheaper.
 */
const BATCH_RECORDS = 4096
const BATCHES_AHEAD = 2

/**
 * Hands a whole input over in batches and waits until they are durable; `counts` grows as they are. When the input breaks
 * off, what came before is still stored, then its error is thrown. `durable` is told of batches in order, and of none
 * after one that failed.
 */
export async function ingestInput(
  intake: Pick<Intake, 'ingest'>,
  input: AsyncIterable<readonly ReadRecord[]>,
  counts: BatchCounts,
  durable: (records: readonly ReadRecord[]) => Promise<void> = async () => {},
): Promise<void> {
  const ahead: Promise<void>[] = []
  // In order: what came after a batch that failed would be stored before it, and the repeated batch would find its hours
  // closed: stored, and never scored.
  const stream: IntakeStream = { broken: null }
  let batch: ReadRecord[] = []
  let broken: { readonly by: unknown } | undefined
  const submit = async (): Promise<void> => {
    if (batch.length === 0) return
    const records = batch
    batch = []
    const settled = intake.ingest(records, { stream }).then(
      async (some) => {
        // A hole before it: whoever remembers positions must not go past the hole.
        if (broken !== undefined) throw broken.by
        addCounts(counts, some)
        await durable(records)
      },
      (error: unknown) => {
        broken ??= { by: error }
        throw error
      },
    )
    settled.catch(() => {})
    ahead.push(settled)
    if (ahead.length >= BATCHES_AHEAD) await ahead.shift()
  }
  let fault: { readonly by: unknown } | undefined
  try {
    for await (const some of input) {
      for (const record of some) batch.push(record)
      if (batch.length >= BATCH_RECORDS) await submit()
    }
  } catch (error) {
    fault = { by: error }
  }
  if (broken === undefined) await submit().catch(() => {})
  for (const outcome of await Promise.allSettled(ahead)) {
    if (outcome.status === 'rejected') broken ??= { by: outcome.reason }
  }
  if (broken !== undefined) throw broken.by
  if (fault !== undefined) throw fault.by
}
