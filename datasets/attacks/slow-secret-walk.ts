import { defineAttack } from '../attack.ts'
import { anyWorkload, kubernetesRequests } from '../company/intruder.ts'
import { DAY } from '../company/record.ts'

const DAYS = 6

/** A workload reads two secrets a day that it never read, from its own pod: patient, and never much at once. */
export const attack = defineAttack({
  id: 'slow-secret-walk',
  title: 'Workload reads a few foreign secrets each day',
  attacks: [{ tactic: 'TA0006', technique: 'T1552.007' }],
  loudness: 'stealthy',
  plane: 'kubernetes-audit',
  inject({ company, random, at }) {
    const victim = anyWorkload(company.workloads, random)
    const { namespace, userAgent } = victim
    const secrets = ['psp-key', 'tls-wildcard', 'smtp', 'warehouse-ftp', 'admin-session', 'feature-flags']
    const records = Array.from({ length: DAYS }, (_, day) => {
      const start = at + day * DAY + random.int(DAY / 24)
      const token = victim.tokenAt(start, 0)
      const from = { token, address: token.nodeAddress, userAgent }
      return kubernetesRequests(random, { at: start, everySeconds: 1 }, from, [
        { verb: 'get', group: '', resource: 'secrets', namespace, name: secrets[day] },
        { verb: 'get', group: '', resource: 'secrets', namespace, name: `team-${day}-credentials` },
      ])
    }).flat()
    return { identity: victim.identity.id, records }
  },
})
