import { defineAttack } from '../attack.ts'
import { ACCOUNT, REGION } from '../company/cloudtrail-record.ts'
import { awsCalls, credentialOf } from '../company/intruder.ts'

const TRAIL = `arn:aws:cloudtrail:${REGION}:${ACCOUNT}:trail/synthetic-organisation`

/** The deployer, hijacked through a poisoned pipeline, switches the trail off from a runner that looks like any other. */
export const attack = defineAttack({
  id: 'trail-tampering',
  title: 'Deployer stops and deletes the audit trail',
  attacks: [{ tactic: 'TA0005', technique: 'T1562.008' }],
  loudness: 'medium',
  plane: 'cloudtrail',
  inject({ company, random, at: wanted }) {
    const at = Math.floor(wanted / 1000) * 1000
    const victim = company.awsOf('ci-deployer')
    // The run's own sign-in: without it the session would stand out for never having been issued, which it was.
    const signIn = victim.issue(at, 0, random)
    const calls = awsCalls(random, { at: at + 20_000, everySeconds: 6 }, credentialOf(victim, at, 0), [
      { service: 'cloudtrail', name: 'DescribeTrails' },
      { service: 'cloudtrail', name: 'StopLogging', write: true, parameters: `{"name":"${TRAIL}"}` },
      { service: 'cloudtrail', name: 'DeleteTrail', write: true, parameters: `{"name":"${TRAIL}"}` },
    ])
    const issued = signIn === undefined ? [] : [{ time: at, source: 'cloudtrail', line: signIn } as const]
    return { identity: victim.identity.id, records: [...issued, ...calls] }
  },
})
