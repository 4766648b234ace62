import { readdirSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import {
  type Detector,
  defineDetector,
  type Example,
  FAMILIES,
  printable,
  quote,
  type SignalDraft,
  type Sketch,
  type Subject,
} from '../../detectors/detector.ts'
import { loadDetectors } from '../../detectors/detectors.ts'
import { Estate } from '../../features/estate.ts'
import { FEATURE_IDS } from '../../features/feature.ts'
import { IdentityState } from '../../features/identity-state.ts'
import { openUnit } from '../../features/open-unit.ts'
import { type Activity, EFFECTS } from '../../ingest/activity.ts'
import { activityAt, EXAMPLE, MONDAY, Player, plainState, story } from '../support/activities.ts'

const { all: detectors } = await loadDetectors()
const spoke = new Set<string>()

/** What one detector says while an example's `now` happens, and the alerts of it alone. */
function hear(
  detector: Detector,
  example: Example,
  change = (activity: Activity): Activity => activity,
): { drafts: SignalDraft[]; alerts: number } {
  const drafts: SignalDraft[] = []
  let listening = false
  const heard: Detector = {
    ...detector,
    score(subject) {
      if (!listening) return detector.score(subject)
      const before = JSON.stringify([plainState(subject.state), subject])
      const draft = detector.score(subject)
      expect(detector.score(subject), 'deterministic').toEqual(draft)
      expect(JSON.stringify([plainState(subject.state), subject]), 'unmutated').toBe(before)
      if (draft !== null) drafts.push(draft)
      return draft
    },
  }
  const { habit, now } = story(example)
  const player = new Player([heard]).play(habit.map(frozen))
  const before = player.raised.size
  listening = true
  player.play(now.map((activity) => frozen(change(activity))))
  return { drafts, alerts: player.raised.size - before }
}

const strongest = (drafts: readonly SignalDraft[]): number => Math.max(0, ...drafts.map((d) => d.score))

describe('the catalogue', () => {
  it('has an entry for every file', () => {
    const files = readdirSync(new URL('../../detectors/catalog/', import.meta.url))
    expect(detectors.map((d) => `${d.id}.ts`)).toEqual(files.sort())
    expect(detectors.length).toBeGreaterThan(20)
  })

  it('sees all three families', () => {
    expect(new Set(detectors.map((d) => d.family))).toEqual(new Set(FAMILIES))
  })
})

describe.each(detectors.map((d) => [d.id, d] as const))('%s', (_, detector) => {
  it('says what it is', () => {
    expect(detector.title).toMatch(/^[A-Z].{8,}[^.]$/)
    expect(FAMILIES).toContain(detector.family)
    for (const text of [detector.sees, detector.needs]) expect(text).toMatch(/^\S.{8,}\.$/)
    expect(detector.attacks.length).toBeGreaterThan(0)
    for (const { tactic, technique } of detector.attacks) {
      expect(tactic).toMatch(/^TA\d{4}$/)
      expect(technique).toMatch(/^T\d{4}(\.\d{3})?$/)
    }
    for (const list of [detector.blindSpots, detector.falsePositives]) {
      expect(list.length).toBeGreaterThan(0)
      for (const line of list) expect(line.trim()).not.toBe('')
    }
    if (detector.leastP !== undefined) {
      expect(detector.leastP).toBeGreaterThan(0)
      expect(detector.leastP).toBeLessThanOrEqual(0.05)
    }
    const { trigger } = detector
    if (trigger.on === 'value') expect(FEATURE_IDS).toContain(trigger.feature)
    if (trigger.on === 'activity')
      for (const effect of trigger.effects ?? []) expect(EFFECTS).toContain(effect)
  })

  it(`fires: ${detector.examples.fires.title}`, () => {
    const { drafts, alerts } = hear(detector, detector.examples.fires)
    if (drafts.some((draft) => draft.severity !== undefined)) expect(alerts).toBe(1)
    else expect(strongest(drafts)).toBeGreaterThanOrEqual(Math.log(100))
    for (const draft of drafts) expect(draft.text).toMatch(/^\S.*\.$/)
  })

  it(`is silent: ${detector.examples.silent.title}`, () => {
    const { drafts, alerts } = hear(detector, detector.examples.silent)
    expect(alerts).toBe(0)
    expect(drafts.filter((draft) => draft.severity !== undefined)).toEqual([])
    expect(strongest(drafts)).toBeLessThan(Math.log(20))
  })

  it('quotes what an attacker wrote', () => {
    const { drafts } = hear(detector, detector.examples.fires, hostile)
    if (drafts.length > 0) spoke.add(detector.id)
    // Some fall silent over such values (nothing on earth is an account of that form), but none may speak unquoted.
    for (const { text, score } of drafts) {
      expect(Number.isFinite(score)).toBe(true)
      expect(text).not.toMatch(/[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}<>`]/u)
      expect(text.replaceAll(/"[^"]*"/g, '')).not.toMatch(/["]|injected/)
      expect(text.length).toBeLessThan(1500)
    }
  })

  it('survives activities that lack everything optional', () => {
    const state = new IdentityState(EXAMPLE, 'cloudtrail')
    const unit = openUnit(0, 'cloudtrail')
    for (const mature of [false, true])
      for (const effect of ['', ...EFFECTS] as const) {
        const subject: Subject = {
          activity: frozen(activityAt(MONDAY, 'bare', { ...BARE, effect })),
          state,
          unit,
          estate: new Estate(),
          value: null,
          credential: null,
          mature,
        }
        const draft = detector.score(subject)
        if (draft !== null) expect(Number.isFinite(draft.score)).toBe(true)
      }
    const player = new Player([detector])
    for (let hour = 0; hour < 60; hour++)
      player.play([activityAt(MONDAY + hour * 3_600_000, `bare-${hour}`, BARE)])
    expect(player.raised.size).toBe(0)
  })
})

describe('quote', () => {
  it('leaves ordinary text alone', () => {
    expect(quote('arn:aws:iam::111122223333:role/über')).toBe('"arn:aws:iam::111122223333:role/über"')
  })

  it.each([
    ['a"b', '"a·b"'],
    ['a\u001b[31mb\n', '"a·[31mb·"'],
    ['\u202eevil\u2028', '"·evil·"'],
    ['<script>`', '"·script··"'],
    ['\ud800x', '"·x"'],
  ])('%j', (untrusted, quoted) => expect(quote(untrusted)).toBe(quoted))

  it('cuts at 128 characters, never inside a pair', () => {
    expect(quote('x'.repeat(128))).toBe(`"${'x'.repeat(128)}"`)
    expect(quote('x'.repeat(129))).toBe(`"${'x'.repeat(127)}…"`)
    expect(quote(`${'x'.repeat(126)}${'😀'.repeat(9)}`)).not.toMatch(/\p{Cs}/u)
  })

  it('is not asked to read a megabyte to show a line', () => {
    expect(printable('\u0000'.repeat(1_000_000), 10)).toBe(`${'·'.repeat(9)}…`)
  })
})

it('heard all but a few of the catalogue speak of hostile values', () => {
  // A hostile country is a new country, which has its own detector; and nobody shares with an account of that name.
  const silent = ['first-seen-address', 'first-seen-network', 'first-seen-prefix', 'shared-outside']
  expect(detectors.map((d) => d.id).filter((id) => !spoke.has(id))).toEqual(silent)
})

it('refuses a detector whose defaults do not satisfy its own schema', () => {
  const [any] = detectors
  if (any === undefined) throw new Error('no detectors')
  expect(() => defineDetector({ ...any, params: z.object({ atLeast: z.number() }) })).toThrow('atLeast')
})

const BARE: Sketch = {
  action: '',
  service: '',
  resourceClass: '',
  resources: [],
  outcome: 'unknown',
  authMethod: '',
  userAgent: '',
  userAgentFamily: '',
  region: '',
  requestId: '',
  origin: { kind: 'unknown', address: '', prefix: '', country: '', asn: 0, network: '' },
}

const INJECTION = 'injected" \u001b[2J\n\r\u202e`<script>\ud800'
const nasty = (text: string): string => (text === '' || text === EXAMPLE.id ? text : `${text}${INJECTION}`)

/** The activity with something nasty behind every value that a caller can choose. */
function hostile(activity: Activity): Activity {
  const { origin, details, issuance } = activity
  return {
    ...activity,
    action: nasty(activity.action),
    service: nasty(activity.service),
    resourceClass: nasty(activity.resourceClass),
    resources: activity.resources.map(nasty),
    errorCode: nasty(activity.errorCode),
    credential: nasty(activity.credential),
    userAgentFamily: nasty(activity.userAgentFamily),
    region: nasty(activity.region),
    origin: {
      ...origin,
      address: nasty(origin.address),
      prefix: nasty(origin.prefix),
      country: nasty(origin.country),
      network: nasty(origin.network),
    },
    details: Object.fromEntries(Object.entries(details).map(([name, value]) => [name, nasty(value)])),
    issuance: Object.fromEntries(Object.entries(issuance).map(([name, value]) => [name, nasty(value)])),
  }
}

function frozen<T>(value: T): T {
  if (typeof value === 'object' && value !== null) {
    Object.freeze(value)
    for (const item of Object.values(value)) frozen(item)
  }
  return value
}
