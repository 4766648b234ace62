import { defineAttack } from '../attack.ts'
import { bucketOf, objectRead } from '../company/aws-operations.ts'
import { awsCalls, credentialOf } from '../company/intruder.ts'

/** A service's own bucket, read empty through the service itself: known call, known bucket, known place; only the volume. */
export const attack = defineAttack({
  id: 'object-exfiltration',
  title: 'Bucket read out from the usual place',
  attacks: [{ tactic: 'TA0009', technique: 'T1530' }],
  loudness: 'stealthy',
  plane: 'cloudtrail',
  inject({ company, random, at }) {
    const victim = company.awsOf('instance-role', random.int(64))
    const calls = Array.from({ length: 420 }, (_, index) => ({
      service: 's3',
      name: 'GetObject',
      ...objectRead(
        bucketOf(victim.workload),
        `2026/part-${index}.parquet`,
        Math.round(random.logNormal(900_000, 0.6)),
      ),
    }))
    const records = awsCalls(random, { at, everySeconds: 6 }, credentialOf(victim, at, random.int(64)), calls)
    return { identity: victim.identity.id, records }
  },
})
