import type { Activity, Draft } from './activity.ts'

/**
 * What a step says of one record. A step judges; only the runner acts (stores, counts, dead-letters).
 *
 * - **accepted**: go on.
 * - **filtered**: understood, and deliberately not behaviour (a health check, a request-stage line). Counted by reason.
 * - **dead**: not understood. Kept with its original bytes, the stage that gave up and why.
 */
export type Verdict<T> =
  | { readonly outcome: 'accepted'; readonly value: T }
  | { readonly outcome: 'filtered'; readonly reason: string }
  | DeadVerdict

export interface DeadVerdict {
  readonly outcome: 'dead'
  readonly stage: Stage
  /** Stable code, kebab-case: `not-json`, `unrecognised`, `wrong-type`, `bad-time`, `line-too-long`, … */
  readonly reason: string
  /** For people: the path in the record and what was wrong with it; no values of secrets. At most 300 characters. */
  readonly detail: string
}

export const STAGES = ['read', 'container', 'recognise', 'parse', 'normalise'] as const
export type Stage = (typeof STAGES)[number]

export const accepted = <T>(value: T): Verdict<T> => ({ outcome: 'accepted', value })
export const filtered = (reason: string): Verdict<never> => ({ outcome: 'filtered', reason })
export const dead = (stage: Stage, reason: string, detail: string): DeadVerdict => ({
  outcome: 'dead',
  stage,
  reason,
  detail: detail.length > 300 ? `${detail.slice(0, 299)}…` : detail,
})

/** Where a record stood, for dead letters and error messages. */
export interface Position {
  /** File path, HTTP request id, or `topic/partition`. */
  readonly origin: string
  /** 1-based line (or 1-based document) in the uncompressed input. */
  readonly line: number
  /** Byte offset in the uncompressed input where the line or document starts. */
  readonly offset: number
  /** Index of the record in its container, 0 when the line is the record. */
  readonly index: number
}

/** A record that nobody could use, with everything needed to try again. */
export interface DeadLetter {
  readonly verdict: DeadVerdict
  readonly position: Position
  /** Source that was asked (`--source`) or recognised; '' when none. */
  readonly source: string
  /** The original bytes of the record, unchanged. */
  readonly bytes: Buffer
}

export type DraftVerdict = Verdict<Draft>
export type ActivityVerdict = Verdict<Activity>
