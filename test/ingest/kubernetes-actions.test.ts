import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type KubernetesCall, kubernetesMeaning } from '../../ingest/kubernetes-actions.ts'

const RBAC = 'rbac.authorization.k8s.io'

/** `create pods/exec` as a call, with the rest of it. */
function mean(action: string, rest: Partial<KubernetesCall> = {}) {
  const [verb = '', target = ''] = action.split(' ')
  const [resource = '', subresource = ''] = target.split('/')
  return kubernetesMeaning({
    cluster: 'c',
    username: 'admin',
    verb,
    group: '',
    resource,
    subresource,
    namespace: 'shop',
    name: 'x',
    impersonates: false,
    body: undefined,
    issuedCredential: '',
    ...rest,
  })
}

const podWith = (spec: object) => ({ body: { kind: 'Pod', spec: { containers: [{ name: 'a' }], ...spec } } })

it.each([
  ['delete validatingwebhookconfigurations', 'admission-policy'],
  ['deletecollection clusterpolicies', 'admission-policy'],
  ['delete events', 'events'],
  ['delete auditsinks', undefined],
  ['delete pods', undefined],
])('%s hits %s', (action, guard) => {
  expect(mean(action).details.guard).toBe(guard)
})

describe('access level', () => {
  it.each([
    ['get configmaps', 'read'],
    ['list pods', 'list'],
    ['watch pods', 'list'],
    ['create pods', 'write'],
    ['deletecollection pods', 'write'],
    ['create selfsubjectaccessreviews', 'read'],
    ['create tokenreviews', 'auth'],
    ['create serviceaccounts/token', 'auth'],
    ['update certificatesigningrequests/approval', 'permissions'],
    ['get pods/exec', 'write'],
  ])('%s is %s', (action, level) => {
    expect(mean(action).accessLevel).toBe(level)
  })

  it('is permissions for writes to RBAC only', () => {
    expect(mean('create rolebindings', { group: RBAC }).accessLevel).toBe('permissions')
    expect(mean('get rolebindings', { group: RBAC }).accessLevel).toBe('read')
  })
})

describe('effect', () => {
  it.each<[string, Partial<KubernetesCall>, string]>([
    ['create pods/exec', {}, 'remote-execution'],
    ['get pods/exec', {}, 'remote-execution'],
    ['create pods/attach', {}, 'remote-execution'],
    ['create pods/portforward', {}, 'remote-execution'],
    ['patch pods/ephemeralcontainers', {}, 'remote-execution'],
    ['get pods/log', {}, ''],
    ['get secrets', {}, 'secret-read'],
    ['list secrets', {}, 'secret-read'],
    ['get configmaps', {}, ''],
    ['create rolebindings', { group: RBAC }, 'permission-grant'],
    ['patch clusterroles', { group: RBAC }, 'permission-grant'],
    ['delete rolebindings', { group: RBAC }, ''],
    ['create serviceaccounts', {}, 'identity-creation'],
    ['create serviceaccounts/token', {}, 'credential-minting'],
    ['create serviceaccounts/token', { username: 'system:node:n' }, ''],
    ['update certificatesigningrequests/approval', {}, 'credential-minting'],
    ['create certificatesigningrequests', {}, ''],
    ['delete networkpolicies', {}, 'network-opening'],
    ['create networkpolicies', {}, ''],
    ['delete validatingwebhookconfigurations', {}, 'audit-tampering'],
    ['delete events', {}, 'audit-tampering'],
    ['create events', {}, ''],
    ['update mutatingwebhookconfigurations', {}, 'code-change'],
    ['delete persistentvolumeclaims', {}, 'data-destruction'],
    ['delete pods', {}, ''],
    ['patch configmaps', { namespace: 'kube-system', name: 'aws-auth' }, 'permission-grant'],
    ['patch configmaps', { name: 'aws-auth' }, ''],
    ['create pods', {}, ''],
    ['create pods', podWith({}), ''],
    ['create pods', podWith({ hostNetwork: true }), 'compute-launch'],
    ['create pods', podWith({ hostPID: true }), 'compute-launch'],
    ['create pods', podWith({ containers: [{ securityContext: { privileged: true } }] }), 'compute-launch'],
    ['create pods', podWith({ containers: [{ securityContext: { privileged: false } }] }), ''],
    [
      'create pods',
      podWith({ containers: [{ securityContext: { capabilities: { add: ['SYS_ADMIN'] } } }] }),
      'compute-launch',
    ],
    ['create pods', podWith({ containers: [{ securityContext: { capabilities: { add: ['CHOWN'] } } }] }), ''],
    ['create pods', podWith({ volumes: [{ hostPath: { path: '/' } }] }), 'compute-launch'],
    ['create pods', podWith({ volumes: [{ hostPath: { path: '/etc/kubernetes' } }] }), 'compute-launch'],
    ['create pods', podWith({ volumes: [{ hostPath: { path: '/mnt/data' } }] }), ''],
    ['create deployments', { body: { spec: { template: { spec: { hostPID: true } } } } }, 'compute-launch'],
    [
      'create cronjobs',
      { body: { spec: { jobTemplate: { spec: { template: { spec: { hostIPC: true } } } } } } },
      'compute-launch',
    ],
    ['create services', { body: { spec: { type: 'LoadBalancer' } } }, 'network-opening'],
    [
      'create services',
      { body: { spec: { type: 'LoadBalancer', loadBalancerSourceRanges: ['10.0.0.0/8'] } } },
      '',
    ],
    ['create services', { body: { spec: { type: 'ClusterIP' } } }, ''],
  ])('%s %j → %j', (action, rest, effect) => {
    expect(mean(action, rest).effect).toBe(effect)
  })

  it('of impersonation gives way to a stronger one', () => {
    expect(mean('list pods', { impersonates: true }).effect).toBe('impersonation')
    expect(mean('create configmaps', { impersonates: true }).effect).toBe('impersonation')
    expect(mean('get secrets', { impersonates: true }).effect).toBe('secret-read')
    expect(mean('create pods/exec', { impersonates: true }).effect).toBe('remote-execution')
  })
})

describe('details', () => {
  const binding = (subjects: readonly object[]) => ({
    group: RBAC,
    body: { subjects, roleRef: { kind: 'ClusterRole', name: 'cluster-admin' } },
  })

  it('of a binding name the grantee and the role', () => {
    const subject = { kind: 'ServiceAccount', name: 'cart', namespace: 'shop' }
    expect(mean('create clusterrolebindings', binding([subject])).details).toEqual({
      grantee: 'k8s:c:system:serviceaccount:shop:cart',
      grant: 'ClusterRole/cluster-admin',
    })
  })

  it('put the public first, then the actor', () => {
    const bob = { kind: 'User', name: 'bob' }
    const self = { kind: 'User', name: 'admin' }
    const all = { kind: 'Group', name: 'system:authenticated' }
    expect(mean('create rolebindings', binding([bob, self, all])).details.grantee).toBe('*')
    expect(mean('create rolebindings', binding([bob, self])).details).toMatchObject({
      grantee: 'k8s:c:admin',
      grantees: 'k8s:c:bob,k8s:c:admin',
    })
  })

  it('of a JSON patch name who was added, and a patch that only removes is no grant', () => {
    const add = [{ op: 'add', path: '/subjects/-', value: { kind: 'Group', name: 'devs' } }]
    const remove = [{ op: 'remove', path: '/subjects/0' }]
    expect(mean('patch rolebindings', { group: RBAC, body: add })).toMatchObject({
      effect: 'permission-grant',
      details: { grantee: 'k8s:c:group:devs' },
    })
    expect(mean('patch rolebindings', { group: RBAC, body: remove }).effect).toBe('')
  })

  it('of a role tell whether it allows everything', () => {
    const rules = [{ apiGroups: ['*'], resources: ['*'], verbs: ['*'] }]
    expect(mean('create clusterroles', { group: RBAC, body: { rules } }).details).toEqual({
      grant: 'ClusterRole/x',
      wildcard: 'true',
    })
  })

  it('of a token name its id and its owner, for kubelets too', () => {
    const rest = { name: 'ledger', issuedCredential: 'JTI=1', username: 'system:node:n' }
    expect(mean('create serviceaccounts/token', rest)).toMatchObject({
      effect: '',
      details: { issuedCredential: 'JTI=1', issuedTo: 'k8s:c:system:serviceaccount:shop:ledger' },
    })
  })

  it('of a token Secret name its owner', () => {
    const body = {
      type: 'kubernetes.io/service-account-token',
      metadata: { annotations: { 'kubernetes.io/service-account.name': 'bot' } },
    }
    expect(mean('create secrets', { body })).toMatchObject({
      effect: 'credential-minting',
      details: { issuedTo: 'k8s:c:system:serviceaccount:shop:bot', issuedCredential: 'secret:shop/x' },
    })
  })

  it('of a pod that owns its node say how', () => {
    expect(
      mean('create pods', podWith({ hostPID: true, volumes: [{ hostPath: { path: '/etc' } }] })).details,
    ).toEqual({
      grant: 'hostPID, hostPath:/etc',
    })
  })
})

it('never throws on bodies of any shape', () => {
  const actions = [
    'create pods',
    'patch rolebindings',
    'create clusterroles',
    'create secrets',
    'update services',
    'create cronjobs',
  ]
  const body = fc.letrec((tie) => ({
    node: fc.oneof(
      { maxDepth: 5 },
      fc.jsonValue(),
      fc.dictionary(
        fc.constantFrom(
          'spec',
          'template',
          'containers',
          'securityContext',
          'subjects',
          'roleRef',
          'rules',
          'volumes',
          'hostPath',
          'metadata',
        ),
        tie('node'),
      ),
      fc.array(tie('node'), { maxLength: 3 }),
    ),
  })).node
  fc.assert(
    fc.property(fc.constantFrom(...actions), body, (action, value) => {
      const meaning = mean(action, { body: value, group: action.includes('role') ? RBAC : '' })
      for (const text of Object.values(meaning.details)) expect(typeof text).toBe('string')
    }),
    { numRuns: 500 },
  )
})
