import { z } from 'zod'
import { defineDetector, quote } from '../detector.ts'

/** A temporary credential that moves to another network during its life. Blind to theft within one network. */
export const detector = defineDetector({
  id: 'session-network-change',
  title: 'A session changes network',
  family: 'geography',
  analyticType: 'behavioral',
  attacks: [{ tactic: 'TA0006', technique: 'T1550.001' }],
  trigger: { on: 'value', feature: 'address' },
  params: z.object({
    priorSessions: z.number().positive().default(20),
    /** Share of sessions assumed to move before the identity's own sessions say more. */
    priorRate: z.number().min(0).max(1).default(0.02),
  }),
  sees: 'A role session or token that was used in one network and appears in another: p = (c + 20ρ)/(s + 20) of past sessions.',
  needs: 'Credential ids and addresses; 24 active hours of history.',
  blindSpots: ['a thief in the same network', 'sessions seen only at the thief'],
  falsePositives: ['laptops that change networks', 'dual-stack or multi-homed egress'],
  examples: {
    fires: {
      title: 'A session moves from the data centre to an access line',
      habit: [{ authMethod: 'session', credential: 'ASIA#', origin: dataCentre() }],
      now: [
        { authMethod: 'session', credential: 'ASIANOW', origin: dataCentre() },
        {
          authMethod: 'session',
          credential: 'ASIANOW',
          origin: {
            kind: 'public',
            network: 'Comcast',
            address: '73.1.2.3',
            prefix: '73.1.2.0/24',
            country: 'US',
          },
        },
      ],
    },
    silent: {
      title: 'A session stays',
      habit: [{ authMethod: 'session', credential: 'ASIA#', origin: dataCentre() }],
      now: [{ authMethod: 'session', credential: 'ASIANOW', origin: dataCentre() }],
    },
  },
  score({ activity, state, credential, mature }, { priorSessions, priorRate }) {
    if (!mature || credential === null || !credential.arrived) return null
    if (activity.authMethod !== 'session' && activity.authMethod !== 'bound-token') return null
    const { network } = activity.origin
    const before = credential.uses.find((u) => u.network !== network)
    if (before === undefined) return null
    if (credential.uses.some((u) => u.network === network && u !== credential.here)) return null
    const { sessions, sessionMoves } = state.moments
    const p = (sessionMoves + priorSessions * priorRate) / (sessions + priorSessions)
    if (p >= 0.5) return null
    return {
      score: -Math.log(p),
      value: network,
      observed: { network, before: before.network },
      expected: { sessions_that_moved: Math.round(sessionMoves), sessions: Math.round(sessions) },
      text: `Session ${quote(activity.credential)} moved from ${quote(before.network)} to ${quote(network)}; ${Math.round(sessionMoves)} of ${Math.round(sessions)} earlier sessions did so.`,
    }
  },
})

function dataCentre() {
  return {
    kind: 'public',
    network: 'Hetzner Online',
    address: '88.198.1.1',
    prefix: '88.198.1.0/24',
    country: 'DE',
  } as const
}
