import { defineAttack } from '../attack.ts'
import { awsCallLine } from '../company/aws-actor.ts'
import { credentialOf } from '../company/intruder.ts'
import { attackerIn } from '../company/networks.ts'
import type { CompanyRecord } from '../company/record.ts'

/** The credential of an instance, used on the thief's own instance in another AWS region, with known calls and software. */
export const attack = defineAttack({
  id: 'instance-credential-inside-cloud',
  title: 'Instance credential used on another instance of the same cloud',
  attacks: [{ tactic: 'TA0006', technique: 'T1552.005' }],
  loudness: 'stealthy',
  plane: 'cloudtrail',
  inject({ company, random, at }) {
    const victim = company.awsOf('instance-role', random.int(64))
    const credential = credentialOf(victim, at, random.int(64), {
      address: attackerIn('awsFrankfurt', random),
    })
    const known = victim.operations.filter((operation) => operation.readOnly && victim.uses(operation, at))
    const records: CompanyRecord[] = []
    for (let call = 0; call < 30; call += 1) {
      const time = Math.floor((at + call * 40_000 + random.int(30_000)) / 1000) * 1000
      const line = awsCallLine(time, random.pick(known), credential, victim.workload, random)
      records.push({ time, source: 'cloudtrail', line })
    }
    return { identity: victim.identity.id, records }
  },
})
