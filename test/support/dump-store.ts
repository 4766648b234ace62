import { openEngine } from '../../features/store/client.ts'

/**
 * Prints everything a store says about baselines and alerts, in a fixed order, one JSON line a row: run as a child process,
 * because the embedded engine takes one directory per process. Usage: node dump-store.js <data dir>
 */
const QUERIES: Readonly<Record<string, string>> = {
  activity: 'SELECT uid, identity, time FROM activity FINAL ORDER BY uid',
  alert: 'SELECT uid, body FROM alert FINAL ORDER BY uid',
  unit: `SELECT identity, hour, events, denied, failed, actions, resources, bytes, learned_events, learned, state, stratum, scores,
    surprise, arraySort(novel) FROM unit FINAL ORDER BY identity, hour`,
  presence: `SELECT identity, feature, value, day, groupBitOr(hours) FROM presence GROUP BY identity, feature, value, day
    ORDER BY identity, feature, value, day`,
  held: 'SELECT identity, feature, value, hour, state, reason FROM held FINAL ORDER BY identity, feature, value',
  calibration:
    'SELECT day, stratum, detector, bin, units FROM calibration FINAL ORDER BY day, stratum, detector, bin',
}

const [path = ''] = process.argv.slice(2)
const engine = await openEngine({ path }, 1)
const [session] = engine.sessions
if (session === undefined) throw new Error('no session')
for (const [table, sql] of Object.entries(QUERIES))
  for (const row of await session.rows(sql)) process.stdout.write(`${table} ${JSON.stringify(row)}\n`)
await session.close()
await engine.release()
