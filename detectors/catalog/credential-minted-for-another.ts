import { z } from 'zod'
import { daysBefore, isHabit } from '../contradiction.ts'
import { defineDetector, quote } from '../detector.ts'

/** A key, token, login profile, secret or certificate created for another identity by one that does not usually do so. */
export const detector = defineDetector({
  id: 'credential-minted-for-another',
  title: 'Mint a credential for another identity',
  family: 'permission use',
  analyticType: 'rule',
  attacks: [{ tactic: 'TA0003', technique: 'T1098.001' }],
  trigger: { on: 'activity', effects: ['credential-minting'] },
  params: z.object({}),
  sees: 'A key, token, login profile, secret or certificate created for another identity by one that does not usually do so.',
  needs: 'Nothing: works from the first event.',
  blindSpots: ['minting for itself', 'minting by an identity that does it every day'],
  falsePositives: ['key rotation by a new tool', 'onboarding'],
  examples: {
    fires: {
      title: 'A key for another user',
      hours: 0,
      now: [
        {
          action: 'iam.amazonaws.com:CreateAccessKey',
          effect: 'credential-minting',
          details: { issuedTo: 'arn:aws:iam::111122223333:user/other' },
        },
      ],
    },
    silent: {
      title: 'Its own credential',
      hours: 0,
      now: [
        {
          action: 'create serviceaccounts/token',
          effect: 'credential-minting',
          details: { issuedTo: 'arn:aws:iam::111122223333:role/example' },
        },
      ],
    },
  },
  score({ activity, state, unit }) {
    const target = activity.details.issuedTo ?? activity.details.targetIdentity ?? ''
    if (target === '' || target === state.id) return null
    if (isHabit(state, activity, unit.hour)) return null
    const refused = activity.outcome !== 'success'
    return {
      score: 0,
      severity: refused ? 'medium' : 'high',
      value: target,
      observed: {
        action: activity.action,
        outcome: activity.outcome,
        issued_to: target,
        credential: activity.details.issuedCredential ?? '',
      },
      expected: { days_with_this_action: daysBefore(state, 'action', activity.action, unit.hour) },
      text: `${refused ? 'Tried to mint' : 'Minted'} a credential for ${quote(target)} by ${quote(activity.action)}.`,
    }
  },
})
