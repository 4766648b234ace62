import { hashNumbers, hashText, Random, weightedIndex } from '../random.ts'
import type { Cast } from './aws-cast.ts'
import type { CastContext } from './cast-context.ts'
import {
  CONTROL_PLANE_ADDRESS,
  createWorkload,
  type KubernetesHabit,
  requestOf,
  type WorkloadActor,
} from './kubernetes-actor.ts'
import { createNodes, type Node } from './kubernetes-nodes.ts'
import { certificateUser, kubernetesLine, unboundUser } from './kubernetes-record.ts'
import { hostIn } from './networks.ts'
import { type Actor, type Archetype, type CompanyIdentity, HOUR } from './record.ts'
import { callsIn, hourlyAt, nightly, person, pipelineRuns, type Rhythm, roundTheClock } from './rhythm.ts'

export interface KubernetesCounts {
  readonly workloads: number
  readonly nodes: number
}

export interface KubernetesCast extends Cast<Actor> {
  readonly workloads: readonly WorkloadActor[]
  readonly nodes: readonly Node[]
}

const NAMESPACES = ['shop', 'payments', 'logistics', 'data'] as const

const COORDINATION = 'coordination.k8s.io'
const lease = (name: string, weight: number): KubernetesHabit => ({
  verb: 'update',
  group: COORDINATION,
  resource: 'leases',
  names: [name],
  weight,
  body: `{"kind":"Lease","apiVersion":"coordination.k8s.io/v1","metadata":{"name":"${name}"},"spec":{"leaseDurationSeconds":15}}`,
})

function workloadHabits(name: string, flavour: number): readonly KubernetesHabit[] {
  return [
    { verb: 'get', resource: 'configmaps', names: [`${name}-config`, `${name}-flags`], weight: 10 },
    { verb: 'get', resource: 'secrets', names: [`${name}-database`], weight: 3 },
    { verb: 'watch', resource: 'configmaps', weight: 2 },
    ...(flavour % 2 === 0 ? [{ verb: 'list', resource: 'endpoints', weight: 4 }] : []),
    ...(flavour % 3 === 0 ? [lease(`${name}-leader`, 6)] : []),
    { verb: 'get', resource: 'services', names: [name], weight: 2, error: [404, 0.02] as const },
    {
      verb: 'list',
      group: 'discovery.k8s.io',
      resource: 'endpointslices',
      weight: 2,
      sinceWeek: 1 + (flavour % 4),
    },
  ]
}

function platform(): readonly (Omit<Parameters<typeof createWorkload>[3], 'rhythm'> & { rhythm: Rhythm })[] {
  return [
    {
      archetype: 'platform-workload',
      namespace: 'monitoring',
      serviceAccount: 'prometheus',
      description: 'Lists and watches targets in all namespaces, round the clock.',
      slots: 2,
      userAgent: 'Prometheus/3.1.0',
      rhythm: roundTheClock(30, 0.1, 1),
      habits: ['pods', 'services', 'endpoints', 'nodes'].flatMap((resource) => [
        { verb: 'list', resource, namespace: '*', weight: 5 },
        { verb: 'watch', resource, namespace: '*', weight: 2 },
      ]),
    },
    {
      archetype: 'platform-workload',
      namespace: 'external-secrets',
      serviceAccount: 'external-secrets',
      description: 'Writes the secrets of the shop and payments namespaces every hour.',
      slots: 1,
      userAgent: 'external-secrets/v0.14.2 (linux/amd64) kubernetes/$Format',
      rhythm: hourlyAt(20, 6, 24),
      habits: [
        {
          verb: 'get',
          resource: 'secrets',
          namespace: 'shop',
          names: ['orders-database', 'checkout-database', 'search-database'],
          weight: 6,
        },
        {
          verb: 'update',
          resource: 'secrets',
          namespace: 'payments',
          names: ['psp-key'],
          weight: 2,
          error: [409, 0.03],
        },
        {
          verb: 'list',
          group: 'external-secrets.io',
          resource: 'externalsecrets',
          namespace: '*',
          weight: 4,
        },
      ],
    },
    {
      archetype: 'cluster-deployer',
      namespace: 'argocd',
      serviceAccount: 'argocd-application-controller',
      description:
        'Deploys: patches workloads of all application namespaces on working days, compares all the time.',
      slots: 1,
      userAgent: 'argocd-application-controller/v2.13.2 (linux/amd64) kubernetes/$Format',
      rhythm: roundTheClock(26, 0.4, 0.5),
      habits: [
        { verb: 'list', group: 'apps', resource: 'deployments', namespace: '*', weight: 10 },
        {
          verb: 'get',
          group: 'apps',
          resource: 'deployments',
          namespace: 'shop',
          names: ['orders', 'checkout'],
          weight: 8,
        },
        {
          verb: 'patch',
          group: 'apps',
          resource: 'deployments',
          namespace: 'shop',
          names: ['orders', 'checkout', 'search', 'catalog'],
          weight: 3,
          body: '{"metadata":{"labels":{"synthetic":"true","app.kubernetes.io/managed-by":"argocd"}},"spec":{"template":{"spec":{"containers":[{"name":"app","image":"registry.synthetic.example/app:2"}]}}}}',
        },
        {
          verb: 'patch',
          resource: 'configmaps',
          namespace: 'shop',
          names: ['orders-config', 'checkout-flags'],
          weight: 2,
          body: '{"data":{"synthetic":"true"}}',
        },
        {
          verb: 'create',
          resource: 'services',
          namespace: 'payments',
          names: ['ledger'],
          weight: 0.2,
          error: [409, 1],
        },
      ],
    },
    {
      archetype: 'platform-workload',
      namespace: 'velero',
      serviceAccount: 'velero',
      description: 'Lists everything once a night to back it up.',
      slots: 1,
      userAgent: 'velero-server/v1.15.0 (linux/amd64) kubernetes/$Format',
      rhythm: nightly(1, 60),
      habits: ['configmaps', 'secrets', 'persistentvolumeclaims', 'services', 'pods'].map((resource) => ({
        verb: 'list',
        resource,
        namespace: '*',
        weight: 3,
      })),
    },
  ]
}

/** A subject that shows one credential and follows a few habits from where `address` says. */
function subject(
  context: CastContext,
  options: {
    readonly identity: CompanyIdentity
    readonly user: (time: number) => string
    readonly address: (time: number) => string
    readonly userAgent: string
    readonly rhythm: Rhythm
    readonly namespace: string
    readonly habits: readonly KubernetesHabit[]
  },
): Actor {
  const { habits, rhythm } = options
  const draw = weightedIndex(habits.map(({ weight }) => weight))
  return {
    identity: options.identity,
    plan(hour, random, note) {
      const count = callsIn(rhythm, hour, random, context.scale)
      for (let piece = 0; piece < count; piece += 1) {
        note(hour.start + Math.floor(rhythm.place(random, piece, count)), draw(random), piece)
      }
    },
    write(time, operation, random) {
      const habit = habits[operation]
      if (habit === undefined) throw new RangeError(`${options.identity.name} has no habit ${operation}`)
      return kubernetesLine(
        {
          ...requestOf(habit, options.namespace, random),
          time,
          user: options.user(time),
          address: options.address(time),
          userAgent: options.userAgent,
          because: `ClusterRoleBinding "${options.identity.name}" of ClusterRole "${options.identity.name}"`,
        },
        random,
      )
    },
  }
}

export function castKubernetes(
  context: CastContext,
  cluster: string,
  counts: KubernetesCounts,
): KubernetesCast {
  const nodes = createNodes(context.seed, counts.nodes)
  const known = (username: string, archetype: Archetype, habits: string, human = false): CompanyIdentity => ({
    id: `k8s:${cluster}:${username}`,
    source: 'kubernetes-audit',
    archetype,
    name: username,
    owner: human ? username : 'team-platform@synthetic.example',
    human,
    habits,
  })
  const workloads = platform().map((options) => createWorkload(context, cluster, nodes, options))
  for (let i = 0; i < counts.workloads; i += 1) {
    const name = context.serviceName(i)
    workloads.push(
      createWorkload(context, cluster, nodes, {
        archetype: 'workload',
        namespace: NAMESPACES[i % NAMESPACES.length] ?? 'shop',
        serviceAccount: name,
        description: 'Reads its own configuration and secret, from pods that move now and then.',
        slots: 2 + (i % 2),
        userAgent: `${name}/1.${4 + (i % 7)}.0 (linux/amd64) client-go/v0.34.1`,
        rhythm: roundTheClock(22, 0.5, 0.8),
        habits: workloadHabits(name, i),
      }),
    )
  }
  const ci = 'system:serviceaccount:ci:deployer'
  const ciSeed = hashNumbers(context.seed, hashText(ci))
  const human = 'anna.keller@synthetic.example'
  const others: Actor[] = nodes.map((node) =>
    subject(context, {
      identity: known(
        `system:node:${node.name}`,
        'kubelet',
        'Renews its lease and status, reads the pods it runs, asks for their tokens.',
      ),
      user: () => certificateUser(`system:node:${node.name}`, 'system:nodes', node.certificate),
      address: () => node.address,
      userAgent: 'kubelet/v1.34.4 (linux/amd64) kubernetes/9e8ee1b',
      rhythm: roundTheClock(24, 0, 1),
      namespace: 'shop',
      habits: [
        { ...lease(node.name, 8), namespace: 'kube-node-lease' },
        {
          verb: 'patch',
          resource: 'nodes',
          subresource: 'status',
          namespace: '*',
          names: [node.name],
          weight: 5,
          body: `{"status":{"conditions":[{"type":"Ready","status":"True","reason":"KubeletReady","message":"kubelet is posting ready status"}],"synthetic":"${'node '.repeat(40)}"}}`,
        },
        { verb: 'get', resource: 'pods', names: ['orders-1', 'checkout-1'], weight: 4, error: [404, 0.01] },
        { verb: 'get', resource: 'configmaps', names: ['kube-root-ca.crt'], weight: 2 },
      ],
    }),
  )
  others.push(
    subject(context, {
      identity: known(
        ci,
        'cluster-deployer',
        'Rolls out from hosted runners (Azure) on working days, with a fresh unbound token for each run.',
      ),
      user: (time) =>
        unboundUser({
          namespace: 'ci',
          serviceAccount: 'deployer',
          uid: new Random(ciSeed, 1).uuid(),
          credentialId: `JTI=${new Random(ciSeed, Math.floor(time / 600_000)).uuid()}`,
        }),
      address: (time) => hostIn('azure', hashNumbers(ciSeed, Math.floor(time / 600_000))),
      userAgent: 'kubectl/v1.34.1 (linux/amd64) kubernetes/93248f9',
      rhythm: pipelineRuns(1.2, 14),
      namespace: 'shop',
      habits: [
        {
          verb: 'get',
          group: 'apps',
          resource: 'deployments',
          names: ['orders', 'checkout', 'search'],
          weight: 8,
        },
        {
          verb: 'patch',
          group: 'apps',
          resource: 'deployments',
          names: ['orders', 'checkout', 'search'],
          weight: 4,
          body: '{"spec":{"template":{"metadata":{"annotations":{"synthetic":"true"}}}}}',
        },
        { verb: 'list', resource: 'pods', weight: 6 },
        { verb: 'list', resource: 'events', weight: 3 },
      ],
    }),
    subject(context, {
      identity: known(
        human,
        'person',
        'A person with kubectl through the VPN, irregular working hours.',
        true,
      ),
      user: () => certificateUser(human, 'platform-team', '3d'.repeat(32)),
      address: (time) => `10.8.0.${10 + (hashNumbers(context.seed, Math.floor(time / (24 * HOUR))) % 40)}`,
      userAgent: 'kubectl/v1.34.1 (darwin/arm64) kubernetes/93248f9',
      rhythm: person(16, 1),
      namespace: 'shop',
      habits: [
        { verb: 'list', resource: 'pods', weight: 10 },
        { verb: 'get', resource: 'pods', subresource: 'log', names: ['orders-1', 'checkout-1'], weight: 5 },
        { verb: 'list', resource: 'events', weight: 4 },
        { verb: 'list', resource: 'secrets', namespace: 'payments', weight: 0.3, error: [403, 1] },
      ],
    }),
    subject(context, {
      identity: known(
        'system:kube-controller-manager',
        'control-plane',
        'Reconciles from the control plane, round the clock.',
      ),
      user: () => certificateUser('system:kube-controller-manager', 'system:masters', '7a'.repeat(32)),
      address: () => CONTROL_PLANE_ADDRESS,
      userAgent: 'kube-controller-manager/v1.34.4 (linux/amd64) kubernetes/9e8ee1b/leader-election',
      rhythm: roundTheClock(14, 0, 1),
      namespace: 'kube-system',
      habits: [
        lease('kube-controller-manager', 8),
        { verb: 'list', resource: 'namespaces', namespace: '*', weight: 2 },
        {
          verb: 'get',
          resource: 'serviceaccounts',
          names: ['replicaset-controller', 'node-controller'],
          weight: 2,
        },
      ],
    }),
  )
  return {
    workloads,
    nodes,
    actors: [...workloads, ...others],
    passive: [
      known('system:kube-scheduler', 'control-plane', 'Places new pods.'),
      known(
        'system:serviceaccount:kube-system:replicaset-controller',
        'control-plane',
        'Makes new pods when replicas move or a deployment arrives.',
      ),
    ],
  }
}
