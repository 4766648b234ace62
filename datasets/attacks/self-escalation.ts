import { defineAttack } from '../attack.ts'
import { awsCalls, credentialOf } from '../company/intruder.ts'

/** A bot makes itself administrator, from its usual host with its usual software: only the call itself is wrong. */
export const attack = defineAttack({
  id: 'self-escalation',
  title: 'Bot attaches AdministratorAccess to itself',
  attacks: [{ tactic: 'TA0004', technique: 'T1098.003' }],
  loudness: 'medium',
  plane: 'cloudtrail',
  inject({ company, random, at }) {
    const victim = company.awsOf('long-term-key', random.int(64))
    const user = victim.identity.name
    const records = awsCalls(random, { at, everySeconds: 20 }, credentialOf(victim, at, 0), [
      { service: 'iam', name: 'ListAttachedUserPolicies', parameters: `{"userName":"${user}"}` },
      {
        service: 'iam',
        name: 'AttachUserPolicy',
        write: true,
        parameters: `{"userName":"${user}","policyArn":"arn:aws:iam::aws:policy/AdministratorAccess"}`,
      },
      { service: 'iam', name: 'ListUsers' },
    ])
    return { identity: victim.identity.id, records }
  },
})
