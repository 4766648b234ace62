import { hashNumbers, hashText, Random, weightedIndex } from '../random.ts'
import type { CastContext } from './cast-context.ts'
import type { Node } from './kubernetes-nodes.ts'
import {
  type BoundToken,
  boundUser,
  certificateUser,
  type KubernetesRequest,
  kubernetesLine,
  unboundUser,
} from './kubernetes-record.ts'
import { type Actor, type Archetype, type CompanyIdentity, HOUR, MINUTE, WEEK } from './record.ts'
import { callsIn, type Rhythm } from './rhythm.ts'

/** A request that a service account makes, again and again. */
export interface KubernetesHabit {
  readonly verb: string
  readonly group?: string
  readonly resource: string
  readonly subresource?: string
  /** Its own when absent; '*' when it asks for all namespaces. */
  readonly namespace?: string
  /** One of these objects; none for lists. */
  readonly names?: readonly string[]
  readonly weight: number
  /** Share of answers that are this error. */
  readonly error?: readonly [code: number, share: number]
  readonly body?: string
  /** Weeks after the company's start at which a deployment brought it. */
  readonly sinceWeek?: number
}

export interface WorkloadActor extends Actor {
  readonly namespace: string
  readonly serviceAccount: string
  readonly slots: number
  readonly userAgent: string
  readonly habits: readonly KubernetesHabit[]
  /** The token, pod and node of a replica at that time. */
  readonly tokenAt: (time: number, slot: number) => BoundToken
}

export interface WorkloadOptions {
  readonly archetype: Archetype
  readonly namespace: string
  readonly serviceAccount: string
  readonly description: string
  readonly slots: number
  readonly userAgent: string
  readonly habits: readonly KubernetesHabit[]
  readonly rhythm: Rhythm
}

const TOKEN = 1000
const POD = 2000
const BINDING = 3000
const POD_LETTERS = 'bcdfghjklmnpqrstvwxz2456789'
const MOST_CACHED = 64

/**
 * A workload of the cluster: replicas in pods with tokens that the kubelet renews every hour; a replica moves to another
 * pod (often another node) every two to nine days and at each deployment.
 */
export function createWorkload(
  context: CastContext,
  cluster: string,
  nodes: readonly Node[],
  options: WorkloadOptions,
): WorkloadActor {
  const { namespace, serviceAccount, slots, habits, userAgent, rhythm } = options
  const username = `system:serviceaccount:${namespace}:${serviceAccount}`
  const identity: CompanyIdentity = {
    id: `k8s:${cluster}:${username}`,
    source: 'kubernetes-audit',
    archetype: options.archetype,
    name: `${namespace}/${serviceAccount}`,
    owner: context.ownerOf(namespace),
    human: false,
    habits: options.description,
  }
  const seed = hashNumbers(context.seed, hashText(identity.id))
  const uid = new Random(seed, 1).uuid()
  const deployment = context.deployment(serviceAccount)
  const draw = weightedIndex(habits.map(({ weight }) => weight))
  const minuteOf = (slot: number): number => hashNumbers(seed, slot, 41) % 60
  // A pod changes only together with its token, so that no token ever names two pods.
  const podOf = (slot: number, epoch: number): { readonly release: number; readonly generation: number } => {
    const life = 48 + (hashNumbers(seed, slot, 42) % 168)
    return {
      release: Math.floor((epoch * HOUR - context.start - deployment) / WEEK),
      generation: Math.floor((epoch + (hashNumbers(seed, slot, 43) % life)) / life),
    }
  }
  const cache = new Map<number, BoundToken>()
  const tokenOf = (slot: number, epoch: number): BoundToken => {
    const key = epoch * 64 + slot
    const known = cache.get(key)
    if (known !== undefined) return known
    const { release, generation } = podOf(slot, epoch)
    const podRandom = new Random(seed, slot, generation, release + 10_000)
    const node = nodes[hashNumbers(seed, slot, generation, release) % nodes.length] ?? nodes[0]
    if (node === undefined) throw new RangeError('a cluster without nodes')
    const token: BoundToken = {
      namespace,
      serviceAccount,
      uid,
      credentialId: `JTI=${new Random(seed, slot, epoch, 44).uuid()}`,
      pod: `${serviceAccount}-${new Random(seed, release, 45).letters(9, POD_LETTERS)}-${podRandom.letters(5, POD_LETTERS)}`,
      podUid: podRandom.uuid(),
      node: node.name,
      nodeUid: node.uid,
      nodeAddress: node.address,
    }
    if (cache.size >= MOST_CACHED) cache.clear()
    cache.set(key, token)
    return token
  }
  const tokenAt = (time: number, slot: number): BoundToken =>
    tokenOf(slot, Math.floor((time - minuteOf(slot) * MINUTE) / HOUR))

  return {
    identity,
    namespace,
    serviceAccount,
    slots,
    userAgent,
    habits,
    tokenAt,
    plan(hour, random, note) {
      const count = callsIn(rhythm, hour, random, context.scale)
      let sequence = 0
      for (let piece = 0; piece < count; piece += 1) {
        note(hour.start + Math.floor(rhythm.place(random, piece, count)), draw(random), sequence++)
      }
      for (let slot = 0; slot < slots; slot += 1) {
        const time = hour.start + minuteOf(slot) * MINUTE
        note(time, TOKEN + slot, sequence++)
        const now = podOf(slot, hour.index)
        const before = podOf(slot, hour.index - 1)
        if (now.generation === before.generation && now.release === before.release) continue
        // Made and placed within the minute before its kubelet asks for its token; minute 0 keeps to its own hour.
        const made = Math.max(hour.start, time - 4000)
        note(made, POD + slot, sequence++)
        note(Math.min(time, made + 1500), BINDING + slot, sequence++)
      }
    },
    write(time, operation, random) {
      if (operation >= TOKEN) {
        const slot = operation % 1000
        const epoch = Math.floor(time / HOUR)
        return kubernetesLine(byProduct(operation - slot, tokenOf(slot, epoch), nodes, time), random)
      }
      const wanted = habits[operation]
      const since = wanted?.sinceWeek
      const early = since !== undefined && time < context.start + since * WEEK + deployment
      const habit = early ? habits[0] : wanted
      if (habit === undefined) throw new RangeError(`${identity.name} has no habits`)
      const token = tokenAt(time, random.int(slots))
      return kubernetesLine(
        {
          ...requestOf(habit, namespace, random),
          time,
          user: boundUser(token),
          address: token.nodeAddress,
          userAgent,
          because: `RoleBinding "${serviceAccount}/${namespace}" of Role "${serviceAccount}" to ServiceAccount "${serviceAccount}/${namespace}"`,
        },
        random,
      )
    },
  }
}

/** The part of a request that the habit decides. */
export function requestOf(
  habit: KubernetesHabit,
  own: string,
  random: Random,
): Pick<
  KubernetesRequest,
  'verb' | 'group' | 'resource' | 'subresource' | 'namespace' | 'name' | 'code' | 'body'
> {
  const failed = habit.error !== undefined && random.chance(habit.error[1])
  return {
    verb: habit.verb,
    group: habit.group ?? '',
    resource: habit.resource,
    subresource: habit.subresource,
    namespace: habit.namespace === '*' ? undefined : (habit.namespace ?? own),
    name: habit.names === undefined ? undefined : random.pick(habit.names),
    code: failed ? habit.error?.[0] : undefined,
    body: habit.body,
  }
}

/** What the control plane and the kubelet do for a pod: make it, place it, ask for its token. */
function byProduct(what: number, token: BoundToken, nodes: readonly Node[], time: number): KubernetesRequest {
  const { namespace, serviceAccount } = token
  const node = nodes.find(({ name }) => name === token.node)
  if (what === TOKEN) {
    return {
      time,
      verb: 'create',
      group: '',
      resource: 'serviceaccounts',
      subresource: 'token',
      namespace,
      name: serviceAccount,
      user: certificateUser(`system:node:${token.node}`, 'system:nodes', node?.certificate ?? ''),
      address: token.nodeAddress,
      userAgent: 'kubelet/v1.34.4 (linux/amd64) kubernetes/9e8ee1b',
      body: `{"kind":"TokenRequest","apiVersion":"authentication.k8s.io/v1","metadata":{},"spec":{"audiences":["https://kubernetes.default.svc"],"expirationSeconds":3607,"boundObjectRef":{"kind":"Pod","apiVersion":"v1","name":"${token.pod}","uid":"${token.podUid}"}},"status":{"token":"","expirationTimestamp":null}}`,
      issued: token.credentialId,
    }
  }
  if (what === POD) {
    return {
      time,
      verb: 'create',
      group: '',
      resource: 'pods',
      namespace,
      user: controllerUser('replicaset-controller', time),
      address: CONTROL_PLANE_ADDRESS,
      userAgent:
        'kube-controller-manager/v1.34.4 (linux/amd64) kubernetes/9e8ee1b/system:serviceaccount:kube-system:replicaset-controller',
      because:
        'ClusterRoleBinding "system:controller:replicaset-controller" of ClusterRole "system:controller:replicaset-controller" to ServiceAccount "replicaset-controller/kube-system"',
      body: `{"kind":"Pod","apiVersion":"v1","metadata":{"generateName":"${token.pod.slice(0, -5)}","namespace":"${namespace}","labels":{"app":"${serviceAccount}","synthetic":"true"}},"spec":{"serviceAccountName":"${serviceAccount}","containers":[{"name":"${serviceAccount}","image":"registry.synthetic.example/${serviceAccount}:1","resources":{"limits":{"memory":"512Mi"}},"securityContext":{"runAsNonRoot":true,"allowPrivilegeEscalation":false}}]}}`,
    }
  }
  return {
    time,
    verb: 'create',
    group: '',
    resource: 'pods',
    subresource: 'binding',
    namespace,
    name: token.pod,
    user: certificateUser('system:kube-scheduler', 'system:masters', '5c'.repeat(32)),
    address: CONTROL_PLANE_ADDRESS,
    userAgent: 'kube-scheduler/v1.34.4 (linux/amd64) kubernetes/9e8ee1b/scheduler',
    because:
      'ClusterRoleBinding "system:kube-scheduler" of ClusterRole "system:kube-scheduler" to User "system:kube-scheduler"',
    body: `{"kind":"Binding","apiVersion":"v1","metadata":{"name":"${token.pod}","namespace":"${namespace}"},"target":{"kind":"Node","name":"${token.node}"}}`,
  }
}

export const CONTROL_PLANE_ADDRESS = '10.40.0.5'

/** The controllers hold tokens bound to nothing, renewed every hour by the controller manager. */
function controllerUser(name: string, time: number): string {
  const key = hashText(name)
  return unboundUser({
    namespace: 'kube-system',
    serviceAccount: name,
    uid: new Random(key, 1).uuid(),
    credentialId: `JTI=${new Random(key, Math.floor(time / HOUR)).uuid()}`,
  })
}
