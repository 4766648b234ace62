import { defineAttack } from '../attack.ts'
import { awsCallLine } from '../company/aws-actor.ts'
import { credentialOf } from '../company/intruder.ts'
import { type CompanyRecord, DAY, HOUR } from '../company/record.ts'

const NIGHTS = 5

/** Somebody on the host of an office-hours bot does what the bot does, a few calls a night, at hours when it never works. */
export const attack = defineAttack({
  id: 'odd-hours-low-and-slow',
  title: 'Known calls at unknown hours, a few each night',
  attacks: [
    { tactic: 'TA0005', technique: 'T1078.004' },
    { tactic: 'TA0009', technique: 'T1530' },
  ],
  loudness: 'stealthy',
  plane: 'cloudtrail',
  inject({ company, random, at }) {
    const victim = company.awsOf('long-term-key', random.int(64))
    const known = victim.operations.filter((operation) => victim.uses(operation, at))
    const records: CompanyRecord[] = []
    for (let night = 0; night < NIGHTS; night += 1) {
      const midnight = Math.floor(at / DAY) * DAY + (night + 1) * DAY
      for (let call = 0; call < 4; call += 1) {
        const time = midnight + Math.floor((2 + 2 * random.float()) * 3600) * 1000
        if (time - midnight > 4 * HOUR) continue
        const credential = credentialOf(victim, time, 0)
        const line = awsCallLine(time, random.pick(known), credential, victim.workload, random)
        records.push({ time, source: 'cloudtrail', line })
      }
    }
    return { identity: victim.identity.id, records }
  },
})
