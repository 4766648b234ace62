import type { IdentityHour, StoreBatch } from '../../features/rows.ts'
import { openEngine, type Target } from '../../features/store/client.ts'
import { COLUMNS, TABLES } from '../../features/store/columns.ts'
import { crashBatch } from './crash-batch.ts'

/** What is written to a store in tests of servers that fail, and what it holds in the end. */

const ROWS = 200

/** The n-th batch, with rows for every table; `who` writes for identities of its own. */
export function fullBatch(number: number, who = ''): { batch: StoreBatch; late: readonly IdentityHour[] } {
  const batch = crashBatch(number, ROWS)
  const mine = (identity: string): string => `${identity}${who}`
  const hour = batch.units[0]?.hour ?? 0
  const holder = mine('crash 0')
  return {
    batch: {
      alerts: batch.alerts.map((row) => ({ ...row, uid: mine(row.uid), identity: mine(row.identity) })),
      held: [
        { identity: holder, feature: 'action', value: `v${number}`, hour, state: 'held', reason: 'because' },
      ],
      units: batch.units.map((row) => ({ ...row, identity: mine(row.identity) })),
      presence: batch.presence.map((row) => ({ ...row, identity: mine(row.identity) })),
      calibration: [
        { day: number, stratum: `s${who}`, detector: 'd', bin: 1, units: 5 },
        { day: number, stratum: `s${who}`, detector: 'd', bin: 2, units: 6 },
      ],
      deadLetters: [0, 1].map((at) => ({
        verdict: { outcome: 'dead', stage: 'parse', reason: 'wrong-type', detail: `${number} ${at}` },
        position: { origin: mine('test'), line: at + 1, offset: number * 10 + at, index: at },
        source: 'cloudtrail',
        bytes: Buffer.from([0xff, 0x00, number, at]),
      })),
      activities: batch.activities.map((row) => ({
        ...row,
        uid: mine(row.uid),
        identity: { ...row.identity, id: mine(row.identity.id) },
      })),
    },
    late: [{ identity: holder, hour }],
  }
}

/** Everything in a database, in a fixed order, without what counts how often something was written. */
export async function contents(target: Target): Promise<Record<string, readonly (readonly unknown[])[]>> {
  const engine = await openEngine(target, 1)
  const [session] = engine.sessions
  if (session === undefined) throw new Error('no session')
  const found: Record<string, readonly (readonly unknown[])[]> = {}
  for (const table of TABLES) {
    const columns = COLUMNS[table].filter((column) => column !== 'seq' && column !== 'version')
    found[table] = await session.rows(`SELECT ${columns.join(', ')} FROM ${table} FINAL ORDER BY ALL`)
  }
  await session.close()
  await engine.release()
  return found
}
