import fc from 'fast-check'
import { afterAll, expect, it } from 'vitest'
import type { Alert } from '../../detectors/alert.ts'
import { loadDetectors } from '../../detectors/detectors.ts'
import { Estate } from '../../features/estate.ts'
import { hourOf } from '../../features/feature.ts'
import type { IdentityState } from '../../features/identity-state.ts'
import type { AlertRow, StoreBatch } from '../../features/rows.ts'
import type { Store } from '../../features/store/connection.ts'
import type { Activity } from '../../ingest/activity.ts'
import { activityAt, HOUR, MINUTE, MONDAY, Player, plainState } from '../support/activities.ts'
import { emptyBatch, storeFolder } from '../support/store.ts'

/**
 * The promise that makes a restart harmless: what the store knows plus a replay of the open hours is the state that never
 * stopped, and goes on alike.
 */
const folder = storeFolder()
afterAll(() => folder.remove())
const { all: detectors } = await loadDetectors()

let runs = 0

/** Some weeks of an identity: mostly habit, within two hours of disorder, now and then something new or bad. */
const history = fc.array(
  fc.record({
    step: fc.oneof(
      { weight: 4, arbitrary: fc.constantFrom(0, 0, 1, 1, 2, 3) },
      { weight: 1, arbitrary: fc.integer({ min: 4, max: 60 }) },
    ),
    back: fc.constantFrom(0, 0, 0, 1, 2),
    minute: fc.integer({ min: 0, max: 59 }),
    what: fc.oneof(
      { weight: 12, arbitrary: fc.constantFrom('s3:Get', 's3:List', 's3:Put') },
      { weight: 1, arbitrary: fc.constantFrom('ec2:Describe', 'sts:Whoami', 'iam:Create', 'iam:Create') },
    ),
    credential: fc.constantFrom('', 'S1', 'S2', 'S3', 'S4'),
    place: fc.constantFrom(3, 3, 3, 4, 5),
    denied: fc.boolean(),
  }),
  { minLength: 20, maxLength: 220 },
)

type History = typeof history extends fc.Arbitrary<infer T> ? T : never

function told(steps: History): [Activity, ...Activity[]] {
  let hour = hourOf(MONDAY)
  runs += 1
  const id = `run ${runs}`
  const [first, ...rest] = steps.map(
    ({ step, back, minute, what, credential, place, denied }, i): Activity => {
      hour += step
      const minting = what === 'iam:Create'
      return activityAt((hour - back) * HOUR + minute * MINUTE, `${id}-${i}`, {
        identity: { id },
        action: what,
        service: what.slice(0, what.indexOf(':')),
        effect: minting ? 'credential-minting' : '',
        details: minting ? { issuedTo: 'someone else' } : {},
        accessLevel: what === 's3:Put' || minting ? 'write' : 'read',
        outcome: denied && what === 's3:Put' ? 'denied' : 'success',
        // Sessions are followed in order of arrival, which the store does not know of closed hours: these come in order.
        credential: back === 0 ? credential : '',
        resources: [`object-${(hour * 7 + i) % 5}`],
        origin: { address: `52.1.2.${place}`, network: `network ${place === 5 ? 'B' : 'A'}` },
      })
    },
  )
  if (first === undefined) throw new Error('a history has at least one activity')
  return [first, ...rest]
}

/** Which of the last batch came through before the crash: all, or all up to the presence rows, or up to the units. */
const CRASHES = ['after', 'before units', 'before presence'] as const

it('a state loaded at any point equals the one that went on', async () => {
  const seen = { held: 0, alerts: 0, open: 0, settled: 0, later: 0 }
  const store = await folder.open()
  await fc.assert(
    fc.asyncProperty(
      history,
      fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 5 }),
      fc.constantFrom(...CRASHES),
      async (steps, sizes, crash) => {
        const activities = told(steps)
        const [{ identity }] = activities
        const lived = new Player(detectors)
        let at = 0
        for (const [i, size] of sizes.entries()) {
          lived.play(activities.slice(at, at + size))
          const batch = drained(lived, activities.slice(at, at + size))
          at += size
          await write(store, batch, i === sizes.length - 1 ? crash : 'after')
          if (at >= activities.length) break
        }
        const now = lived.resident(activities[0]).state

        const stored = (await store.load([identity.id])).get(identity.id)
        if (stored === undefined) throw new Error('load did not answer')
        const revived = new Player(detectors, { estate: copyOf(lived.estate, now) })
        revived.roll(lived.calibration.day)
        const { state } = revived.admit(stored, identity, 'cloudtrail')
        expectSame(state, now)
        seen.held += stored.values.filter((value) => value.held === 'held').length
        seen.alerts += stored.alerts.length
        seen.open += stored.open.length
        seen.settled += stored.settled.length

        const closed = lived.units.length
        lived.play(activities.slice(at))
        revived.play(activities.slice(at))
        expectSame(state, now)
        expect(revived.units.slice(-(lived.units.length - closed) || revived.units.length)).toEqual(
          lived.units.slice(closed),
        )
        expect([...revived.raised.keys()].filter((uid) => !lived.raised.has(uid))).toEqual([])
        seen.later += lived.units.length - closed
        await write(store, drained(revived, activities.slice(at)), 'after')
      },
    ),
    { numRuns: 40, seed: 20260302, endOnFailure: true },
  )
  // What the lived ones wrote, a crash swallowed and the revived ones wrote is, together, what the activities say.
  expect(await store.checkRebuild()).toEqual([])
  // Nothing of this may be proved by never happening.
  for (const [what, times] of Object.entries(seen)) expect([what, times > 5]).toEqual([what, true])
}, 120_000)

/** What the pipeline would write of a batch. */
function drained(player: Player, activities: readonly Activity[]): StoreBatch {
  const presence = [...player.residents.values()].flatMap(({ state }) => state.pendingPresence.splice(0))
  return {
    ...emptyBatch,
    alerts: [...player.raised.values()].map(alertRow),
    held: player.held.slice(-1000),
    units: player.units.slice(-1000),
    presence,
    activities,
  }
}

async function write(store: Store, batch: StoreBatch, crash: (typeof CRASHES)[number]): Promise<void> {
  const { held, alerts, activities, presence } = batch
  switch (crash) {
    case 'after':
      return store.write(batch)
    case 'before units':
      return store.write({ ...emptyBatch, held, alerts, activities, presence })
    case 'before presence':
      return store.write({ ...emptyBatch, held, alerts, activities })
    default:
      crash satisfies never
  }
}

/** The estate as a start reads it from the store: whole, the last activities included. */
function copyOf(original: Estate, state: IdentityState): Estate {
  const estate = new Estate()
  for (const feature of state.features)
    for (const value of feature.values.keys())
      estate.loadUse(feature.id, value, original.usersOf(feature.id, value))
  return estate
}

function alertRow(alert: Alert): AlertRow {
  return {
    uid: alert.uid,
    identity: alert.identity.id,
    day: alert.day,
    firstTime: alert.firstTime,
    lastTime: alert.lastTime,
    severityId: 1,
    version: alert.version,
    body: JSON.stringify(alert),
  }
}

/** Equal, sums within 1e−9. */
function expectSame(a: IdentityState, b: IdentityState): void {
  expect(rounded(plainState(a))).toEqual(rounded(plainState(b)))
}

function rounded(value: unknown): unknown {
  if (typeof value === 'number') return Number.isInteger(value) ? value : Number(value.toPrecision(9))
  if (Array.isArray(value)) return value.map(rounded)
  if (typeof value === 'object' && value !== null)
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, rounded(item)]))
  return value
}
