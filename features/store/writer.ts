import { setImmediate as nextTurn } from 'node:timers/promises'
import type { Activity } from '../../ingest/activity.ts'
import type { IdentityHour, StoreBatch } from '../rows.ts'
import { ACTIVITY } from './activity-row.ts'
import type { TableName } from './columns.ts'
import { ALERT, CALIBRATION, DEAD_LETTER, HELD, PRESENCE, REPAIR, UNIT } from './encode.ts'
import { NativeBlock } from './native-block.ts'
import type { Session } from './session.ts'

export type { IdentityHour } from '../rows.ts'

/** Rows encoded before the event loop gets a turn: about 5 ms of work. */
const SLICE = 1000
/** Most activities of one insert, so that one statement stays some tens of megabytes. */
const ACTIVITIES_PER_INSERT = 100_000

/** Writes batches, one after the other, in the order that makes a crash at any point heal by writing the batch again. */
export class Writer {
  readonly #session: Session
  #seq: number
  #tail: Promise<unknown> = Promise.resolve()
  /** Kept, because their memory is used again: one block at a time is being made and sent. */
  readonly #blocks = {
    alert: new NativeBlock(ALERT),
    held: new NativeBlock(HELD),
    repair: new NativeBlock(REPAIR),
    deadLetter: new NativeBlock(DEAD_LETTER),
    activity: new NativeBlock(ACTIVITY),
    presence: new NativeBlock(PRESENCE),
    unit: new NativeBlock(UNIT),
    calibration: new NativeBlock(CALIBRATION),
  }

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
   * `beforeEach` is called before every statement, also before one is sent again, and may throw to go no further.
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
    const blocks = this.#blocks
    const insert = async <T>(table: TableName, rows: readonly T[], block: NativeBlock<T>): Promise<void> => {
      beforeEach()
      await this.#insert(table, rows, block, beforeEach)
    }
    // 1. Alerts before anything that would make them look normal. Crash after: the replay raises the same uid again.
    await insert('alert', batch.alerts, blocks.alert)
    // 2. Held values before presence. Crash after: values held that nothing shows yet; held is only ever subtracted.
    await insert('held', batch.held, blocks.held)
    // 3. Repairs before their activities. Crash after: an hour is recomputed for nothing.
    await insert('repair', late, blocks.repair)
    // 4. Dead letters. Crash after: the same uid replaces itself.
    await insert('dead_letter', batch.deadLetters, blocks.deadLetter)
    // 5. Activities before all that is derived from them: whatever follows is made again from the stored activities when
    //    the identity is loaded (hours after its last closed one are replayed). The other way round an hour would be
    //    closed without its events. Months are separate inserts, oldest first, because an insert is atomic within a
    //    partition only. Crash between: the replay brings the other months, the stored ones are duplicates.
    for (const month of byMonth(batch.activities)) {
      for (let at = 0; at < month.length; at += ACTIVITIES_PER_INSERT) {
        const part =
          month.length <= ACTIVITIES_PER_INSERT ? month : month.slice(at, at + ACTIVITIES_PER_INSERT)
        await insert('activity', part, blocks.activity)
      }
    }
    // 6. Presence of days that were left, before the units that say they were left. Crash after: bits beyond the last
    //    closed hour, which loading masks out.
    await insert('presence', batch.presence, blocks.presence)
    // 7. Closed hours. Crash before: they are open again, and close again with the same counts.
    await insert('unit', batch.units, blocks.unit)
    // 8. Whole days of calibration. Crash before: counted again from the units.
    await insert('calibration', batch.calibration, blocks.calibration)
  }

  async #insert<T>(
    table: TableName,
    rows: readonly T[],
    block: NativeBlock<T>,
    before: () => void,
  ): Promise<void> {
    if (rows.length === 0) return
    block.clear()
    for (let at = 0; at < rows.length; at += SLICE) {
      if (at > 0) await nextTurn()
      const to = Math.min(at + SLICE, rows.length)
      // Taken slice by slice: `advance` may come in between.
      const seq = this.#seq + 1
      this.#seq += to - at
      block.append(rows, at, to, seq)
    }
    await this.#session.insertBlock(table, block, before)
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
