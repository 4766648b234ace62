import { z } from 'zod'
import { betaBinomialUpperMidP } from '../../features/counts.ts'
import { defineDetector } from '../detector.ts'

/** More refusals than this identity's past explains: permission probing. A known call that is refused is an outage. */
export const detector = defineDetector({
  id: 'unusual-denials',
  title: 'Refused far more often than usual',
  family: 'permission use',
  analyticType: 'statistical',
  attacks: [{ tactic: 'TA0007', technique: 'T1580' }],
  trigger: { on: 'count', of: 'denied' },
  params: z.object({
    /** Rate of refusals assumed before there is history, and how many activities that assumption weighs. */
    priorRate: z.number().min(0).max(1).default(0.01),
    priorStrength: z.number().positive().default(20),
    strongest: z.number().positive().default(200),
    /** Known actions that are refused are an outage or a changed policy: never rarer than this. */
    outage: z.number().positive().max(1).default(0.002),
    /** Weight when refusals hit actions that never worked for the identity. */
    probing: z.number().min(1).default(5),
  }),
  sees: 'Refused activities of an hour against the identity’s own rate of refusals (beta-binomial); probing of actions never used counts more.',
  needs: '24 active hours of history; outcomes in the log.',
  blindSpots: ['an attacker who knows what is allowed'],
  falsePositives: ['an expired or narrowed permission', 'a policy change'],
  examples: {
    fires: {
      title: 'Trying doors',
      now: Array.from({ length: 12 }, (_, i) => ({
        action: `iam.amazonaws.com:Try${i}`,
        outcome: 'denied' as const,
        errorCode: 'AccessDenied',
      })),
    },
    silent: { title: 'Nothing refused', now: [{}] },
  },
  score(subject, { priorRate, priorStrength, strongest, probing, outage }) {
    const { state, unit, mature } = subject
    if (!mature) return null
    const { events, denied } = state.moments
    const strength = Math.min(events, strongest - priorStrength)
    const rate = events > 0 ? denied / events : 0
    const a = priorStrength * priorRate + strength * rate
    const b = priorStrength * (1 - priorRate) + strength * (1 - rate)
    const p = betaBinomialUpperMidP({ denied: unit.denied, events: unit.events, a, b })
    if (p >= 0.5) return null
    let unknownActions = 0
    for (const known of unit.seen)
      if (known.feature === 'action' && known.firstHour === unit.hour) unknownActions += 1
    const probes = Math.min(unknownActions, unit.denied)
    return {
      score: probes >= 2 ? -Math.log(p) + Math.log(probing) : -Math.log(Math.max(p, outage)),
      value: '',
      observed: { refused: unit.denied, of: unit.events, actions_never_used: unknownActions },
      expected: { refused_share: Number(rate.toFixed(4)), activities: Math.round(events) },
      text: `${unit.denied} of ${unit.events} activities refused in one hour, where ${(rate * 100).toFixed(1)} % is usual; ${unknownActions} actions were never used before.`,
    }
  },
})
