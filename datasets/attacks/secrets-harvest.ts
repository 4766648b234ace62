import { defineAttack } from '../attack.ts'
import { ACCOUNT, REGION } from '../company/cloudtrail-record.ts'
import { awsCalls, credentialOf } from '../company/intruder.ts'

/** Code running in a service reads the secrets of all the others, from the service's own instance. */
export const attack = defineAttack({
  id: 'secrets-harvest',
  title: 'Service reads secrets it has never read',
  attacks: [{ tactic: 'TA0006', technique: 'T1555.006' }],
  loudness: 'medium',
  plane: 'cloudtrail',
  inject({ company, random, at }) {
    const victim = company.awsOf('instance-role', random.int(64))
    const others = company.aws.map(({ workload }) => workload).filter((name) => name !== victim.workload)
    const secrets = [...new Set(others)].flatMap((name) => [`${name}/database`, `${name}/signing-key`])
    const records = awsCalls(random, { at, everySeconds: 7 }, credentialOf(victim, at, random.int(64)), [
      { service: 'secretsmanager', name: 'ListSecrets', parameters: '{"maxResults":100}' },
      ...secrets.slice(0, 26).map((name) => ({
        service: 'secretsmanager',
        name: 'GetSecretValue',
        parameters: `{"secretId":"arn:aws:secretsmanager:${REGION}:${ACCOUNT}:secret:synthetic/${name}"}`,
      })),
    ])
    return { identity: victim.identity.id, records }
  },
})
