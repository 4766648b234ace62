import { setImmediate as nextTurn } from 'node:timers/promises'
import type { Activity } from '../../ingest/activity.ts'
import type { StoreBatch } from '../rows.ts'
import { activityLine } from './activity-row.ts'
import { COLUMNS, type TableName } from './columns.ts'
import { alertLine, calibrationLine, deadLetterLine, heldLine, presenceLine, unitLine } from './encode.ts'
import type { Session } from './session.ts'

/** An hour of an identity that received events after it was closed. */
export interface IdentityHour {
  readonly identity: string
  readonly hour: number
}

/** Rows encoded before the event loop gets a turn: about 5 ms of work. */
const SLICE = 1000
/** Most activities of one insert, so that one statement stays some tens of megabytes. */
const ACTIVITIES_PER_INSERT = 100_000

/** Writes batches, one after the other, in the order that makes a crash at any point heal by writing the batch again. */
export class Writer {
  readonly #session: Session
  #seq: number
  #tail: Promise<unknown> = Promise.resolve()

  /** `seq`: the last number given to an activity or dead letter. */
  constructor(session: Session, seq: number) {
    this.#session = session
    this.#seq = seq
  }

  /** Goes on numbering after `seq`: another process may have written these activities with higher numbers than ours. */
  advance(seq: number): void {
    if (seq > this.#seq) this.#seq = seq
  }

  /**
   * Makes a batch durable. Writing the same batch twice, in whole or in part, leaves the same state as writing it once.
   * `late`: hours already closed for which this batch brings activities; `repairPending` is to be called afterwards.
   * `beforeEach` is called before every statement and may throw to go no further.
   * Throws `store-write-failed` with the engine's error as cause; nothing needs cleaning up, the batch is simply due again.
   */
  write(
    batch: StoreBatch,
    late: readonly IdentityHour[] = [],
    beforeEach: () => void = () => {},
  ): Promise<void> {
    const turn = this.#tail.then(() => this.#write(batch, late, beforeEach))
    this.#tail = turn.catch(() => undefined)
    return turn
  }

  /** Waits for the batches that were given so far. */
  async idle(): Promise<void> {
    await this.#tail
  }

  async #write(batch: StoreBatch, late: readonly IdentityHour[], beforeEach: () => void): Promise<void> {
    const insert = async <T>(
      table: TableName,
      rows: readonly T[],
      line: (row: T) => string,
    ): Promise<void> => {
      beforeEach()
      await this.#insert(table, rows, line)
    }
    // 1. Alerts before anything that would make them look normal. Crash after: the replay raises the same uid again.
    await insert('alert', batch.alerts, alertLine)
    // 2. Held values before presence. Crash after: values held that nothing shows yet; held is only ever subtracted.
    await insert('held', batch.held, heldLine)
    // 3. Repairs before their activities. Crash after: an hour is recomputed for nothing.
    await insert('repair', late, (pair) => JSON.stringify([pair.identity, pair.hour, 0]))
    // 4. Dead letters. Crash after: the same uid replaces itself.
    await insert('dead_letter', batch.deadLetters, (letter) => deadLetterLine(letter, ++this.#seq))
    // 5. Activities before all that is derived from them: whatever follows is made again from the stored activities when
    //    the identity is loaded (hours after its last closed one are replayed). The other way round an hour would be
    //    closed without its events. Months are separate inserts, oldest first, because an insert is atomic within a
    //    partition only. Crash between: the replay brings the other months, the stored ones are duplicates.
    for (const month of byMonth(batch.activities)) {
      for (let at = 0; at < month.length; at += ACTIVITIES_PER_INSERT) {
        const part =
          month.length <= ACTIVITIES_PER_INSERT ? month : month.slice(at, at + ACTIVITIES_PER_INSERT)
        await insert('activity', part, (activity) => activityLine(activity, ++this.#seq))
      }
    }
    // 6. Presence of days that were left, before the units that say they were left. Crash after: bits beyond the last
    //    closed hour, which loading masks out.
    await insert('presence', batch.presence, presenceLine)
    // 7. Closed hours. Crash before: they are open again, and close again with the same counts.
    await insert('unit', batch.units, unitLine)
    // 8. Whole days of calibration. Crash before: counted again from the units.
    await insert('calibration', batch.calibration, calibrationLine)
  }

  async #insert<T>(table: TableName, rows: readonly T[], line: (row: T) => string): Promise<void> {
    if (rows.length === 0) return
    const slices: string[] = []
    for (let at = 0; at < rows.length; at += SLICE) {
      if (at > 0) await nextTurn()
      let text = ''
      for (let index = at; index < at + SLICE && index < rows.length; index++) {
        const row = rows[index]
        if (row !== undefined) text += `${line(row)}\n`
      }
      slices.push(text)
    }
    await this.#session.insert(table, COLUMNS[table], slices.join(''))
  }
}

/** Activities by month of their partition, oldest month first, each in the order given. */
function byMonth(activities: readonly Activity[]): readonly (readonly Activity[])[] {
  const months = new Map<number, Activity[]>()
  let from = 0
  let to = 0
  let current: Activity[] = []
  for (const activity of activities) {
    if (activity.time < from || activity.time >= to) {
      const date = new Date(activity.time)
      const [year, month] = [date.getUTCFullYear(), date.getUTCMonth()]
      from = Date.UTC(year, month)
      to = Date.UTC(year, month + 1)
      const known = months.get(from)
      current = known ?? []
      if (known === undefined) months.set(from, current)
    }
    current.push(activity)
  }
  return [...months].sort(([a], [b]) => a - b).map(([, list]) => list)
}
