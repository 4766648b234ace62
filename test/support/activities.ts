import { type Alert, alertSchema } from '../../detectors/alert.ts'
import { AlertBook } from '../../detectors/alert-book.ts'
import { CalibrationBook } from '../../detectors/calibration-book.ts'
import type { Detector, Example, Sketch } from '../../detectors/detector.ts'
import { Groups, peerGroupOf } from '../../detectors/groups.ts'
import type { Resident } from '../../detectors/residents.ts'
import { type Arrival, Scorer } from '../../detectors/scorer.ts'
import { Estate } from '../../features/estate.ts'
import { dayOf, hourOf } from '../../features/feature.ts'
import { IdentityState } from '../../features/identity-state.ts'
import type { CalibrationRow, HeldRow, StoredIdentity, UnitRow } from '../../features/rows.ts'
import type { Activity, Identity, Kind } from '../../ingest/activity.ts'

export const MINUTE = 60_000
export const HOUR = 3_600_000
export const DAY = 24 * HOUR
/** Monday, 2 March 2026, 00:00 UTC. */
export const MONDAY = Date.UTC(2026, 2, 2)

export const EXAMPLE: Identity = {
  id: 'arn:aws:iam::111122223333:role/example',
  kind: 'role',
  provider: 'aws',
  tenant: '111122223333',
  human: 'no',
  humanReason: 'a role',
}

/** An ordinary read by a settled service account from its usual place, with changes. */
export function activityAt(time: number, uid: string, sketch: Sketch = {}): Activity {
  const { after: _, origin, identity, ...rest } = sketch
  return {
    time,
    source: 'cloudtrail',
    kind: 'cloudtrail',
    class: 'api_activity',
    action: 's3.amazonaws.com:GetObject',
    service: 's3.amazonaws.com',
    accessLevel: 'read',
    effect: '',
    resourceClass: 's3:object',
    resources: ['arn:aws:s3:::example/object-0'],
    outcome: 'success',
    errorCode: '',
    credential: '',
    authMethod: 'session',
    session: '',
    issuance: {},
    userAgent: 'Boto3/1.34',
    userAgentFamily: 'boto3',
    region: 'eu-west-1',
    requestId: `request-${uid}`,
    actingAs: '',
    bytesOut: 0,
    details: {},
    ...rest,
    uid: `cloudtrail:111122223333:${uid}`,
    identity: { ...EXAMPLE, ...identity },
    origin: {
      kind: 'cloud',
      address: '52.1.2.3',
      prefix: '52.1.2.0/24',
      country: '',
      asn: 16509,
      network: 'aws:eu-west-1:ec2',
      ...origin,
    },
  }
}

/** The activities of an example: `habit` hour by hour, then what happens in the hour after. */
export function story(example: Example, from = MONDAY): { habit: Activity[]; now: Activity[] } {
  const { habit = [{}], hours = 240, hoursOfDay } = example
  const told: { habit: Activity[]; now: Activity[] } = { habit: [], now: [] }
  let hour = hourOf(from)
  for (let lived = 0; lived < hours; hour++) {
    if (hoursOfDay !== undefined && !hoursOfDay.includes(hour % 24)) continue
    lived += 1
    let time = hour * HOUR + 4 * MINUTE
    habit.forEach((sketch, i) => {
      time += (sketch.after ?? 1) * MINUTE
      const credential = sketch.credential?.replace('#', String(hour))
      told.habit.push(
        activityAt(time, `${hour}-${i}`, credential === undefined ? sketch : { ...sketch, credential }),
      )
    })
  }
  let time = hour * HOUR
  example.now.forEach((sketch, i) => {
    time += (sketch.after ?? 1) * MINUTE
    told.now.push(activityAt(time, `now-${i}`, sketch))
  })
  return told
}

export interface Estimate {
  readonly alertsPerDay?: number
  readonly includePeople?: boolean
  readonly learnUntil?: number
  readonly estate?: Estate
  readonly calibration?: CalibrationBook
}

/** The scoring core as the pipeline runs it, without a store: days roll over, everybody stays in memory. */
export class Player {
  readonly estate: Estate
  readonly groups = new Groups()
  readonly calibration: CalibrationBook
  readonly alerts: AlertBook
  readonly scorer: Scorer
  readonly residents = new Map<string, Resident>()
  readonly units: UnitRow[] = []
  readonly held: HeldRow[] = []
  readonly calibrationRows: CalibrationRow[] = []
  /** All alerts, by uid, in their last version. */
  readonly raised = new Map<string, Alert>()
  late = 0

  constructor(detectors: readonly Detector[], options: Estimate = {}) {
    this.estate = options.estate ?? new Estate()
    this.calibration = options.calibration ?? new CalibrationBook({ alertsPerDay: options.alertsPerDay ?? 1 })
    this.alerts = new AlertBook(this.calibration, this.groups)
    this.scorer = new Scorer({
      detectors,
      estate: this.estate,
      calibration: this.calibration,
      alerts: this.alerts,
      groups: this.groups,
      includePeople: options.includePeople ?? false,
      learnUntil: options.learnUntil ?? Number.NEGATIVE_INFINITY,
      closed: (row, held) => {
        this.units.push(row)
        this.held.push(...held)
      },
    })
  }

  resident({ identity, kind }: Activity): Resident {
    let resident = this.residents.get(identity.id)
    if (resident === undefined) {
      resident = {
        state: new IdentityState(identity, kind),
        verdicts: new Map(),
        alerts: new Map(),
        settled: new Map(),
        lastAlertHour: -1,
      }
      this.residents.set(identity.id, resident)
      this.estate.countIdentity(kind)
      this.groups.countMember(peerGroupOf(kind, identity))
    }
    return resident
  }

  play(activities: readonly Activity[], arrival: Arrival = 'stream'): this {
    for (const activity of activities) {
      const day = dayOf(hourOf(activity.time))
      if (day > this.calibration.day) this.roll(day)
      if (!this.scorer.score(this.resident(activity), activity, arrival)) this.late += 1
    }
    for (const { alert } of this.alerts.drain()) this.raised.set(alert.uid, structuredClone(alert))
    return this
  }

  /** Takes an identity from the store, as the pipeline does. */
  admit(stored: StoredIdentity, identity: Identity, kind: Kind): Resident {
    const resident: Resident = {
      state: IdentityState.load(stored, identity, kind),
      verdicts: new Map(),
      alerts: new Map(stored.alerts.map((row) => [row.day, alertSchema.parse(JSON.parse(row.body))])),
      settled: new Map(stored.settled.map((unit) => [unit.hour, unit])),
      lastAlertHour: -1,
    }
    for (const row of stored.alerts) {
      const hour = hourOf(row.lastTime)
      if (hour <= stored.lastClosedHour) resident.lastAlertHour = Math.max(resident.lastAlertHour, hour)
    }
    this.residents.set(identity.id, resident)
    this.estate.countIdentity(kind)
    this.groups.countMember(peerGroupOf(kind, identity))
    this.play(stored.open, 'store')
    this.scorer.settle(resident)
    return resident
  }

  roll(day: number): void {
    for (const resident of this.residents.values()) this.scorer.closeBefore(resident, (day - 1) * DAY)
    this.calibrationRows.push(...this.calibration.rollover(day))
  }

  /** The only alert there is; throws when there are none or several. */
  onlyAlert(): Alert {
    const [alert, ...more] = this.raised.values()
    if (alert === undefined || more.length > 0) throw new Error(`${this.raised.size} alerts`)
    return alertSchema.parse(alert)
  }
}

/** Everything a state consists of, as plain data: two states are equal when these are. */
export function plainState(state: IdentityState): unknown {
  const { moments } = state
  const lastDay = moments.lastDay
  return {
    id: state.id,
    firstHour: state.firstHour,
    lastClosedHour: state.lastClosedHour,
    closedUnits: state.closedUnits,
    features: state.features.map((feature) => ({
      id: feature.id,
      // As of one day for all: which day a sum was last touched on is no matter.
      total: feature.total * 2 ** (-Math.max(0, lastDay - feature.day) / 90),
      novelUnits: feature.novelUnits,
      values: [...feature.values.values()]
        .map(({ written: _, ...value }) => ({ ...value, day: value.presence === 0 ? 0 : value.day }))
        .sort((a, b) => (a.value < b.value ? -1 : 1)),
    })),
    open: state.open
      .map((unit) => ({
        ...unit,
        last: [],
        seen: [...unit.seen].map((known) => `${known.feature}=${known.value}`).sort(),
        actions: [...unit.actions].sort(),
        resources: [...unit.resources].sort(),
      }))
      .sort((a, b) => a.hour - b.hour),
    slots: [...(state.slots ?? [])].flatMap((count, slot) =>
      count === 0 ? [] : [{ slot, count, week: state.slotWeeks?.[slot] }],
    ),
    moments: { ...moments, hours: [...moments.hours] },
    // What the next use of a credential is compared with: older places are forgotten then.
    credentials: [...state.credentials.entries()]
      .flatMap(([credential, uses]) =>
        uses
          .filter((use) => use.last >= (state.lastClosedHour + 1 - 48) * HOUR)
          .map(({ address, network, last }) => `${credential} ${address} ${network} ${last}`),
      )
      .sort(),
    surprises: state.surprises,
  }
}
