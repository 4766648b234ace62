import { defineAttack } from '../attack.ts'
import { awsCalls, credentialOf } from '../company/intruder.ts'

const TRIED: readonly (readonly [service: string, name: string])[] = [
  ['iam', 'ListUsers'],
  ['iam', 'ListRoles'],
  ['iam', 'GetAccountAuthorizationDetails'],
  ['iam', 'CreateUser'],
  ['ec2', 'DescribeInstances'],
  ['ec2', 'RunInstances'],
  ['rds', 'DescribeDBInstances'],
  ['lambda', 'ListFunctions20150331'],
  ['lambda', 'CreateFunction20150331'],
  ['kms', 'ListKeys'],
  ['organizations', 'ListAccounts'],
  ['ssm', 'DescribeParameters'],
  ['secretsmanager', 'ListSecrets'],
  ['cloudformation', 'ListStacks'],
  ['ses', 'GetSendQuota'],
  ['bedrock', 'ListFoundationModels'],
]

/** A function, made to run foreign code, tries what its role may do; nearly everything is refused. */
export const attack = defineAttack({
  id: 'permission-probing',
  title: 'Function tries what it may do and is refused',
  attacks: [{ tactic: 'TA0007', technique: 'T1580' }],
  loudness: 'medium',
  plane: 'cloudtrail',
  inject({ company, random, at }) {
    const victim = company.awsOf('lambda-role', random.int(64))
    const calls = TRIED.map(([service, name]) => ({
      service,
      name,
      write: /^(Create|Run)/.test(name),
      error: service === 'ec2' ? 'Client.UnauthorizedOperation' : 'AccessDeniedException',
    }))
    const records = awsCalls(random, { at, everySeconds: 8 }, credentialOf(victim, at, random.int(3)), [
      { service: 'sts', name: 'GetCallerIdentity' },
      ...calls,
    ])
    return { identity: victim.identity.id, records }
  },
})
