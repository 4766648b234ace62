import { defineAttack } from '../attack.ts'
import { FOREIGN_ACCOUNT } from '../company/cloudtrail-record.ts'
import { awsCalls, credentialOf } from '../company/intruder.ts'

/** The backup role shares its snapshots with an account nobody knows, from its own instance. */
export const attack = defineAttack({
  id: 'snapshot-sharing',
  title: 'Backups shared with a foreign account',
  attacks: [{ tactic: 'TA0010', technique: 'T1537' }],
  loudness: 'medium',
  plane: 'cloudtrail',
  inject({ company, random, at }) {
    const victim = company.awsOf('backup')
    const shares = Array.from({ length: 6 }, () => ({
      service: 'ec2',
      name: 'ModifySnapshotAttribute',
      write: true,
      parameters: `{"snapshotId":"snap-0${random.hex(16)}","createVolumePermission":{"add":{"items":[{"userId":"${FOREIGN_ACCOUNT}"}]}},"attributeType":"CREATE_VOLUME_PERMISSION"}`,
    }))
    const records = awsCalls(random, { at, everySeconds: 15 }, credentialOf(victim, at, 0), [
      { service: 'ec2', name: 'DescribeSnapshots', parameters: '{"ownersSet":{"items":[{"owner":"self"}]}}' },
      ...shares,
    ])
    return { identity: victim.identity.id, records }
  },
})
