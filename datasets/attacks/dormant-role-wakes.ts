import { defineAttack } from '../attack.ts'
import { bucketOf, objectRead } from '../company/aws-operations.ts'
import { awsCalls, COMMAND_LINE, credentialOf } from '../company/intruder.ts'
import { attackerIn } from '../company/networks.ts'

/** A role left over from a finished migration works again, from a network it never used. */
export const attack = defineAttack({
  id: 'dormant-role-wakes',
  title: 'Forgotten role wakes from a new network',
  attacks: [
    { tactic: 'TA0001', technique: 'T1078.004' },
    { tactic: 'TA0009', technique: 'T1530' },
  ],
  loudness: 'loud',
  plane: 'cloudtrail',
  inject({ company, random, at }) {
    const victim = company.awsOf('dormant-role')
    const bucket = bucketOf(victim.workload)
    const credential = credentialOf(victim, at, 0, {
      address: attackerIn('torExit', random),
      userAgent: COMMAND_LINE,
    })
    const objects = Array.from({ length: 12 }, (_, index) => ({
      service: 's3',
      name: 'GetObject',
      ...objectRead(bucket, `2026/part-${index * 7}.parquet`, 80_000),
    }))
    const records = awsCalls(random, { at, everySeconds: 12 }, credential, [
      { service: 'sts', name: 'GetCallerIdentity' },
      { service: 's3', name: 'ListBuckets' },
      ...objects,
    ])
    return { identity: victim.identity.id, records }
  },
})
