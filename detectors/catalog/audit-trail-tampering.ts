import { z } from 'zod'
import { daysBefore, isHabit } from '../contradiction.ts'
import { defineDetector, quote } from '../detector.ts'

/** Stopping, deleting, narrowing or redirecting an audit trail, flow log, audit device, threat detector or admission policy. */
export const detector = defineDetector({
  id: 'audit-trail-tampering',
  title: 'Tamper with an audit trail or a guard',
  family: 'permission use',
  analyticType: 'rule',
  attacks: [
    { tactic: 'TA0005', technique: 'T1562.008' },
    { tactic: 'TA0005', technique: 'T1562.001' },
  ],
  trigger: { on: 'activity', effects: ['audit-tampering'] },
  params: z.object({}),
  sees: 'Stopping, deleting, narrowing or redirecting an audit trail, flow log, audit device, threat detector or admission policy.',
  needs: 'Nothing: works from the first event.',
  blindSpots: ['trails changed outside the logged plane', 'refusals after the identity was known to do it'],
  falsePositives: ['decommissioning', 'IaC that manages trails (silent after three days of habit)'],
  examples: {
    fires: {
      title: 'The trail is stopped',
      hours: 0,
      now: [{ action: 'cloudtrail.amazonaws.com:StopLogging', effect: 'audit-tampering' }],
    },
    silent: {
      title: 'The trail is read',
      hours: 0,
      now: [{ action: 'cloudtrail.amazonaws.com:DescribeTrails' }],
    },
  },
  score({ activity, state, unit }) {
    if (isHabit(state, activity, unit.hour)) return null
    const refused = activity.outcome !== 'success'
    const what = WHAT.get(activity.details.guard ?? '') ?? 'the audit trail'
    return {
      score: 0,
      severity: refused ? 'medium' : 'critical',
      value: activity.action,
      observed: {
        action: activity.action,
        outcome: activity.outcome,
        what,
        resource: activity.resources[0] ?? '',
      },
      expected: { days_with_this_action: daysBefore(state, 'action', activity.action, unit.hour) },
      text: `${refused ? 'Tried to tamper' : 'Tampered'} with ${what}: ${quote(activity.action)} on ${quote(activity.resources[0] ?? 'unnamed')}.`,
    }
  },
})

/** What keeps watch besides the trail, by `details.guard`. */
const WHAT: ReadonlyMap<string, string> = new Map([
  ['admission-policy', 'an admission policy, which guards what may run'],
  ['events', 'the events that tell what happened'],
  ['threat-detection', 'threat detection'],
  ['configuration-record', 'the record of configurations'],
  ['organisation', 'the oversight of the organisation'],
])
