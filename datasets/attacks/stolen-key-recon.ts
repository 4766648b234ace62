import { defineAttack } from '../attack.ts'
import { ACCOUNT, awsId } from '../company/cloudtrail-record.ts'
import { awsCalls, COMMAND_LINE, credentialOf } from '../company/intruder.ts'
import { attackerIn } from '../company/networks.ts'

const LOOKED_AT: readonly (readonly [service: string, name: string])[] = [
  ['sts', 'GetCallerIdentity'],
  ['iam', 'GetUser'],
  ['iam', 'ListUsers'],
  ['iam', 'ListRoles'],
  ['iam', 'ListAttachedUserPolicies'],
  ['iam', 'ListUserPolicies'],
  ['iam', 'ListAccessKeys'],
  ['s3', 'ListBuckets'],
  ['ec2', 'DescribeInstances'],
  ['ec2', 'DescribeRegions'],
  ['ec2', 'DescribeSecurityGroups'],
  ['ec2', 'DescribeSnapshots'],
  ['rds', 'DescribeDBInstances'],
  ['lambda', 'ListFunctions20150331'],
  ['secretsmanager', 'ListSecrets'],
  ['ssm', 'DescribeParameters'],
  ['kms', 'ListKeys'],
  ['dynamodb', 'ListTables'],
  ['ecr', 'DescribeRepositories'],
  ['cloudtrail', 'DescribeTrails'],
]

/** A leaked long-term key tried from another country: look round quickly, then mint a second key to stay. */
export const attack = defineAttack({
  id: 'stolen-key-recon',
  title: 'Leaked key looks round from a new country and mints another',
  attacks: [
    { tactic: 'TA0007', technique: 'T1087.004' },
    { tactic: 'TA0003', technique: 'T1098.001' },
  ],
  loudness: 'loud',
  plane: 'cloudtrail',
  inject({ company, random, at }) {
    const victim = company.awsOf('long-term-key', random.int(64))
    const user = victim.identity.name
    const credential = credentialOf(victim, at, 0, {
      address: attackerIn(random.pick(['vimpelcom', 'viettel', 'claro'] as const), random),
      userAgent: COMMAND_LINE,
    })
    const records = awsCalls(random, { at, everySeconds: 4 }, credential, [
      ...LOOKED_AT.map(([service, name]) => ({
        service,
        name,
        ...(random.chance(0.25) ? { error: 'AccessDenied' } : {}),
      })),
      {
        service: 'iam',
        name: 'CreateAccessKey',
        write: true,
        parameters: `{"userName":"${user}"}`,
        response: `{"accessKey":{"userName":"${user}","accessKeyId":"${awsId('AKIA', random)}","status":"Active","createDate":"now"}}`,
        resources: `[{"accountId":"${ACCOUNT}","type":"AWS::IAM::User","ARN":"${victim.identity.id}"}]`,
      },
    ])
    return { identity: victim.identity.id, records }
  },
})
