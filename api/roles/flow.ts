import { setTimeout as sleep } from 'node:timers/promises'
import type { TopicPartition } from '../../ingest/broker.ts'
import type { PartitionBooks } from '../conservation.ts'
import type { LaneClock, LaneLimits } from '../lane.ts'
import type { Logger } from '../logger.ts'

/** A role at work on Kafka: what `/ready` and `/metrics` ask, and how it ends. */
export interface Flow {
  /** Names for people: `direct`, `ingest`, `detect`. */
  readonly role: string
  start(): Promise<void>
  /** Finishes what is under way, commits it and leaves the group. */
  stop(): Promise<void>
  /** Identities it knows, where it keeps some. */
  identities?(): number
  /** Why it makes no progress, or null. */
  trouble(): string | null
  /** Messages that the broker deleted before they were read. */
  lost(): number
  books(): Iterable<PartitionBooks>
  lags(): Iterable<TopicPartition & { readonly lag: number }>
  silences(): Iterable<TopicPartition & { readonly silentMs: number }>
}

/** Says once that a partition has fallen silent, and once that it speaks again. */
export function silenceWatch(flows: readonly Flow[], logger: RoleParts['logger']): () => void {
  const silent = new Set<string>()
  return () => {
    const now = new Set<string>()
    for (const flow of flows)
      for (const { topic, partition, silentMs } of flow.silences()) {
        const key = `${flow.role} ${topic}/${partition}`
        now.add(key)
        if (!silent.has(key))
          logger.warn(
            {
              role: flow.role,
              topic,
              partition,
              seconds: Math.round(silentMs / 1000),
              code: 'silent-partition',
            },
            'a partition that used to speak has fallen silent: look at its producer',
          )
      }
    for (const key of silent)
      if (!now.has(key)) logger.info({ partition: key }, 'a silent partition speaks again')
    silent.clear()
    for (const key of now) silent.add(key)
  }
}

/** What every role is given. */
export interface RoleParts {
  readonly logger: Pick<Logger, 'error' | 'warn' | 'info'>
  readonly clock: LaneClock
  readonly limits?: Partial<LaneLimits> | undefined
  /** The role cannot go on: the process must end with an error. */
  readonly fatal: (error: unknown) => void
}

/** Without a commit for this long while there is work, a role is not ready. */
export const STALL_MS = 60_000

export const realClock: LaneClock = {
  now: () => performance.now(),
  pause: (milliseconds, signal) => sleep(milliseconds, undefined, { signal }).catch(() => {}),
}
