import { defineAttack } from '../attack.ts'
import { anyWorkload, kubernetesRequests } from '../company/intruder.ts'
import { attackerIn } from '../company/networks.ts'

const AUTHORIZATION = 'authorization.k8s.io'
const RBAC = 'rbac.authorization.k8s.io'

/** The bound token of a pod, used with curl from outside: who am I, what may I, all secrets, then administrator. */
export const attack = defineAttack({
  id: 'stolen-pod-token',
  title: 'Pod token used from another address to take over the cluster',
  attacks: [
    { tactic: 'TA0006', technique: 'T1528' },
    { tactic: 'TA0007', technique: 'T1613' },
    { tactic: 'TA0003', technique: 'T1098.006' },
  ],
  loudness: 'loud',
  plane: 'kubernetes-audit',
  inject({ company, random, at }) {
    const victim = anyWorkload(company.workloads, random)
    const { namespace, serviceAccount } = victim
    const from = {
      token: victim.tokenAt(at, random.int(victim.slots)),
      address: attackerIn('digitalOcean', random),
      userAgent: 'curl/8.5.0',
    }
    const records = kubernetesRequests(random, { at, everySeconds: 5 }, from, [
      { verb: 'create', group: 'authentication.k8s.io', resource: 'selfsubjectreviews' },
      {
        verb: 'create',
        group: AUTHORIZATION,
        resource: 'selfsubjectrulesreviews',
        body: `{"kind":"SelfSubjectRulesReview","apiVersion":"authorization.k8s.io/v1","spec":{"namespace":"${namespace}"}}`,
      },
      {
        verb: 'create',
        group: AUTHORIZATION,
        resource: 'selfsubjectaccessreviews',
        body: '{"kind":"SelfSubjectAccessReview","apiVersion":"authorization.k8s.io/v1","spec":{"resourceAttributes":{"verb":"list","resource":"secrets"}}}',
      },
      { verb: 'list', group: '', resource: 'secrets', namespace },
      { verb: 'list', group: '', resource: 'secrets', code: 403 },
      { verb: 'list', group: '', resource: 'pods', namespace },
      { verb: 'list', group: '', resource: 'namespaces', code: 403 },
      { verb: 'list', group: RBAC, resource: 'clusterrolebindings', code: 403 },
      {
        verb: 'create',
        group: RBAC,
        resource: 'clusterrolebindings',
        body: `{"kind":"ClusterRoleBinding","apiVersion":"rbac.authorization.k8s.io/v1","metadata":{"name":"${serviceAccount}-support"},"subjects":[{"kind":"ServiceAccount","name":"${serviceAccount}","namespace":"${namespace}"}],"roleRef":{"apiGroup":"rbac.authorization.k8s.io","kind":"ClusterRole","name":"cluster-admin"}}`,
      },
      { verb: 'list', group: '', resource: 'secrets', namespace: 'kube-system' },
    ])
    return { identity: victim.identity.id, records }
  },
})
