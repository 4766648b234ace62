import { defineAttack } from '../attack.ts'
import { ACCOUNT, FOREIGN_ACCOUNT } from '../company/cloudtrail-record.ts'
import { awsCalls, credentialOf } from '../company/intruder.ts'

/** An instance role opens another role to a foreign account, to come back later without any stolen credential. */
export const attack = defineAttack({
  id: 'trust-backdoor',
  title: 'Role made assumable by a foreign account',
  attacks: [{ tactic: 'TA0003', technique: 'T1098.001' }],
  loudness: 'medium',
  plane: 'cloudtrail',
  inject({ company, random, at }) {
    const victim = company.awsOf('instance-role', random.int(64))
    const target = 'synthetic-backup'
    const policy = JSON.stringify({
      Version: '2012-10-17',
      Statement: [
        {
          Effect: 'Allow',
          Principal: { AWS: [`arn:aws:iam::${ACCOUNT}:root`, `arn:aws:iam::${FOREIGN_ACCOUNT}:root`] },
          Action: 'sts:AssumeRole',
        },
      ],
    })
    const records = awsCalls(random, { at, everySeconds: 30 }, credentialOf(victim, at, random.int(64)), [
      { service: 'iam', name: 'GetRole', parameters: `{"roleName":"${target}"}` },
      {
        service: 'iam',
        name: 'UpdateAssumeRolePolicy',
        write: true,
        parameters: `{"roleName":"${target}","policyDocument":${JSON.stringify(policy)}}`,
      },
    ])
    return { identity: victim.identity.id, records }
  },
})
