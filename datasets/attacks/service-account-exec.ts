import { defineAttack } from '../attack.ts'
import { anyWorkload, kubernetesRequests } from '../company/intruder.ts'

/** A workload opens shells in its neighbours, from its own pod and node. */
export const attack = defineAttack({
  id: 'service-account-exec',
  title: 'Service account runs commands in other pods',
  attacks: [{ tactic: 'TA0002', technique: 'T1609' }],
  loudness: 'medium',
  plane: 'kubernetes-audit',
  inject({ company, random, at }) {
    const victim = anyWorkload(company.workloads, random)
    const { namespace, userAgent } = victim
    const token = victim.tokenAt(at, random.int(victim.slots))
    const shells = Array.from({ length: 3 }, () => ({
      verb: 'create',
      group: '',
      resource: 'pods',
      subresource: 'exec',
      namespace,
      name: `ledger-${random.hex(9)}-${random.hex(5)}`,
      code: 101,
    }))
    const from = { token, address: token.nodeAddress, userAgent }
    const records = kubernetesRequests(random, { at, everySeconds: 25 }, from, [
      { verb: 'list', group: '', resource: 'pods', namespace },
      ...shells,
    ])
    return { identity: victim.identity.id, records }
  },
})
