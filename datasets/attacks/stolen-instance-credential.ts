import { defineAttack } from '../attack.ts'
import { awsCalls, COMMAND_LINE, credentialOf } from '../company/intruder.ts'
import { attackerIn } from '../company/networks.ts'

/** Session of an EC2 instance, taken from its metadata service and used on a rented host outside AWS. */
export const attack = defineAttack({
  id: 'stolen-instance-credential',
  title: 'Instance credential used outside AWS',
  attacks: [
    { tactic: 'TA0006', technique: 'T1552.005' },
    { tactic: 'TA0001', technique: 'T1078.004' },
  ],
  loudness: 'loud',
  plane: 'cloudtrail',
  inject({ company, random, at }) {
    const victim = company.awsOf('instance-role', random.int(64))
    const credential = credentialOf(victim, at, random.int(64), {
      address: attackerIn('digitalOcean', random),
      userAgent: COMMAND_LINE,
    })
    const records = awsCalls(random, { at, everySeconds: 9 }, credential, [
      { service: 'sts', name: 'GetCallerIdentity' },
      { service: 's3', name: 'ListBuckets' },
      { service: 'iam', name: 'GetAccountSummary', error: 'AccessDenied' },
      { service: 'iam', name: 'ListAttachedRolePolicies', error: 'AccessDenied' },
      { service: 'ec2', name: 'DescribeInstances', error: 'Client.UnauthorizedOperation' },
      { service: 'secretsmanager', name: 'ListSecrets', error: 'AccessDeniedException' },
      {
        service: 'dynamodb',
        name: 'Query',
        parameters: `{"tableName":"synthetic-${victim.workload}","limit":1000}`,
      },
      {
        service: 'dynamodb',
        name: 'Scan',
        parameters: `{"tableName":"synthetic-${victim.workload}"}`,
      },
    ])
    return { identity: victim.identity.id, records }
  },
})
