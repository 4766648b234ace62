/**
 * What a Kubernetes request means: how much power it exercises, what it does to security, and the facts in its body
 * (present only at audit level Request or above) that detectors of content need.
 */
import type { AccessLevel, Effect } from './activity.ts'
import { asObject, asText, isJsonObject, listAt, objectAt, textAt } from './json-values.ts'
import type { JsonObject } from './source.ts'

/** The parts of an audit event that give a request its meaning. */
export interface KubernetesCall {
  readonly cluster: string
  /** Actor, as the authenticator named it. */
  readonly username: string
  readonly verb: string
  /** API group, '' for core. */
  readonly group: string
  /** '' for non-resource requests. */
  readonly resource: string
  readonly subresource: string
  readonly namespace: string
  readonly name: string
  readonly impersonates: boolean
  /** Request body: an object, a merge patch, or a JSON patch (an array). */
  readonly body: unknown
  /** `annotations["authentication.kubernetes.io/issued-credential-id"]` of a TokenRequest. */
  readonly issuedCredential: string
}

export interface KubernetesMeaning {
  readonly accessLevel: AccessLevel
  readonly effect: Effect | ''
  readonly details: Readonly<Record<string, string>>
}

const LONGEST = 256
const MOST_ENTRIES = 64
const NO_DETAILS: Readonly<Record<string, string>> = Object.freeze({})

const WRITES: ReadonlySet<string> = new Set(['create', 'update', 'patch'])
const DELETES: ReadonlySet<string> = new Set(['delete', 'deletecollection'])
const READS: ReadonlySet<string> = new Set(['get', 'list', 'watch'])
const WORKLOADS: ReadonlySet<string> = new Set([
  'pods',
  'deployments',
  'daemonsets',
  'statefulsets',
  'replicasets',
  'replicationcontrollers',
  'jobs',
  'cronjobs',
  'podtemplates',
])
const REMOTE: ReadonlySet<string> = new Set([
  'pods/exec',
  'pods/attach',
  'pods/portforward',
  'pods/ephemeralcontainers',
  'nodes/proxy',
])
/** Guards and watchers whose removal lets things pass unseen: admission policies, audit sinks, policy engines. */
const GUARDS: ReadonlySet<string> = new Set([
  'validatingwebhookconfigurations',
  'validatingadmissionpolicies',
  'validatingadmissionpolicybindings',
  'auditsinks',
  'constrainttemplates',
  'clusterpolicies',
  'podsecuritypolicies',
])
const STORES: ReadonlySet<string> = new Set([
  'persistentvolumes',
  'persistentvolumeclaims',
  'volumesnapshots',
  'volumesnapshotcontents',
  'namespaces',
  'customresourcedefinitions',
])

/** Canonical id of a subject: `k8s:<cluster>:<username>`. */
export function kubernetesId(cluster: string, username: string): string {
  const id = `k8s:${cluster}:${username}`
  return id.length > 512 ? id.slice(0, 512) : id
}

export function kubernetesMeaning(call: KubernetesCall): KubernetesMeaning {
  const accessLevel = accessLevelOf(call)
  // Bodies matter for writes only, and most requests are reads.
  if (READS.has(call.verb) && !REMOTE.has(`${call.resource}/${call.subresource}`)) {
    const secret = call.resource === 'secrets' && call.group === '' && call.subresource === ''
    const effect = secret ? 'secret-read' : call.impersonates ? 'impersonation' : ''
    return { accessLevel, effect, details: NO_DETAILS }
  }
  const details: Record<string, string> = {}
  const effect = effectOf(call, (name, value) => {
    if (value !== '') details[name] = value.length > LONGEST ? value.slice(0, LONGEST) : value
  })
  return { accessLevel, effect: effect || (call.impersonates ? 'impersonation' : ''), details }
}

function accessLevelOf(call: KubernetesCall): AccessLevel {
  const { verb, group, resource, subresource } = call
  if (verb === 'list' || verb === 'watch') return 'list'
  if (resource.endsWith('accessreviews') || resource === 'selfsubjectrulesreviews') return 'read'
  if (resource === 'tokenreviews' || resource === 'selfsubjectreviews' || subresource === 'token')
    return 'auth'
  if (verb === 'get' || verb === 'head') return REMOTE.has(`${resource}/${subresource}`) ? 'write' : 'read'
  if (verb === 'unknown') return 'read'
  if (group === 'rbac.authorization.k8s.io' || subresource === 'approval') return 'permissions'
  return 'write'
}

type Put = (name: string, value: string) => void

function effectOf(call: KubernetesCall, put: Put): Effect | '' {
  const { verb, resource, subresource, group } = call
  if (subresource !== '') {
    if (REMOTE.has(`${resource}/${subresource}`)) return 'remote-execution'
    if (resource === 'serviceaccounts' && subresource === 'token' && verb === 'create')
      return tokenEffect(call, put)
    if (resource === 'certificatesigningrequests' && subresource === 'approval' && WRITES.has(verb)) {
      return 'credential-minting'
    }
    // `status` and `scale` are what controllers write all day.
    return ''
  }
  if (WRITES.has(verb)) {
    if (group === 'rbac.authorization.k8s.io') return rbacEffect(call, put)
    if (WORKLOADS.has(resource)) return workloadEffect(call, put)
    switch (resource) {
      case 'serviceaccounts':
        if (verb !== 'create') return ''
        put('targetIdentity', serviceAccountId(call.cluster, call.namespace, call.name))
        return 'identity-creation'
      case 'secrets':
        return secretEffect(call, put)
      case 'services':
        return serviceEffect(call)
      case 'configmaps':
        // EKS maps AWS principals to Kubernetes groups in this one.
        if (call.namespace !== 'kube-system' || call.name !== 'aws-auth') return ''
        put('grant', 'configmap/aws-auth')
        return 'permission-grant'
      case 'mutatingwebhookconfigurations':
        return 'code-change'
      case 'auditsinks':
        return verb === 'create' ? '' : 'audit-tampering'
    }
    return ''
  }
  if (!DELETES.has(verb)) return ''
  if (GUARDS.has(resource) || resource === 'events') {
    put('guard', resource === 'events' ? 'events' : resource === 'auditsinks' ? '' : 'admission-policy')
    return 'audit-tampering'
  }
  if (resource === 'networkpolicies' || resource.endsWith('networkpolicies')) return 'network-opening'
  return STORES.has(resource) ? 'data-destruction' : ''
}

/**
 * A token for a service account. Kubelets fetch one for each of their pods (NodeRestriction confines them to those), and
 * the controller manager one for each of its controllers: neither gains anything by it.
 */
function tokenEffect(call: KubernetesCall, put: Put): Effect | '' {
  const target = serviceAccountId(call.cluster, call.namespace, call.name)
  put('targetIdentity', target)
  put('issuedTo', target)
  put('issuedCredential', call.issuedCredential)
  if (call.username.startsWith('system:node:')) return ''
  if (call.username === 'system:kube-controller-manager' && call.namespace === 'kube-system') return ''
  return 'credential-minting'
}

function rbacEffect(call: KubernetesCall, put: Put): Effect | '' {
  const { resource, body } = call
  if (resource === 'rolebindings' || resource === 'clusterrolebindings') {
    const role = objectAt(asObject(body), 'roleRef')
    const grantees = subjectsOf(body).map((subject) => subjectId(call, subject))
    // A body that names nobody takes subjects away or changes labels: no grant. Without a body nobody knows, so it counts.
    if (grantees.length === 0 && body !== undefined && body !== null) return ''
    const self = kubernetesId(call.cluster, call.username)
    // The public first, then the actor itself: those are the grantees worth a sentence.
    put(
      'grantee',
      grantees.find((id) => id === '*') ?? grantees.find((id) => id === self) ?? grantees[0] ?? '',
    )
    if (grantees.length > 1) put('grantees', grantees.join(','))
    if (textAt(role, 'name') !== '') put('grant', `${textAt(role, 'kind')}/${textAt(role, 'name')}`)
    return 'permission-grant'
  }
  if (resource !== 'roles' && resource !== 'clusterroles') return ''
  const name = call.name || textAt(objectAt(asObject(body), 'metadata'), 'name')
  put('grant', `${resource === 'roles' ? 'Role' : 'ClusterRole'}/${name}`)
  if (listAt(asObject(body), 'rules').slice(0, MOST_ENTRIES).some(allowsAll)) put('wildcard', 'true')
  return 'permission-grant'
}

function allowsAll(rule: unknown): boolean {
  return listAt(asObject(rule), 'verbs').includes('*') && listAt(asObject(rule), 'resources').includes('*')
}

/** Subjects of a binding, of a merge patch to one, or of the operations of a JSON patch. */
function subjectsOf(body: unknown): readonly JsonObject[] {
  if (!Array.isArray(body)) return listAt(asObject(body), 'subjects').slice(0, MOST_ENTRIES).map(asObject)
  return body.slice(0, MOST_ENTRIES).flatMap((step: unknown) => {
    const { op, path, value } = asObject(step)
    if ((op !== 'add' && op !== 'replace') || !asText(path).startsWith('/subjects')) return []
    return (Array.isArray(value) ? value.slice(0, MOST_ENTRIES) : [value]).map(asObject)
  })
}

const EVERYBODY: ReadonlySet<string> = new Set([
  'system:unauthenticated',
  'system:authenticated',
  'system:anonymous',
  'system:serviceaccounts',
])

function subjectId(call: KubernetesCall, subject: JsonObject): string {
  const name = textAt(subject, 'name')
  if (textAt(subject, 'kind') === 'ServiceAccount') {
    return serviceAccountId(call.cluster, textAt(subject, 'namespace') || call.namespace, name)
  }
  if (EVERYBODY.has(name)) return '*'
  return kubernetesId(call.cluster, textAt(subject, 'kind') === 'Group' ? `group:${name}` : name)
}

function serviceAccountId(cluster: string, namespace: string, name: string): string {
  return kubernetesId(cluster, `system:serviceaccount:${namespace}:${name}`)
}

/** A Secret of this type is a token that never expires. */
function secretEffect(call: KubernetesCall, put: Put): Effect | '' {
  const body = asObject(call.body)
  if (call.verb !== 'create' || textAt(body, 'type') !== 'kubernetes.io/service-account-token') return ''
  const owner = textAt(
    objectAt(objectAt(body, 'metadata'), 'annotations'),
    'kubernetes.io/service-account.name',
  )
  if (owner !== '') put('issuedTo', serviceAccountId(call.cluster, call.namespace, owner))
  put('issuedCredential', `secret:${call.namespace}/${call.name}`)
  return 'credential-minting'
}

function serviceEffect(call: KubernetesCall): Effect | '' {
  const body = asObject(call.body)
  const spec = objectAt(body, 'spec')
  if (textAt(spec, 'type') !== 'LoadBalancer') return ''
  const ranges = listAt(spec, 'loadBalancerSourceRanges')
  if (ranges.length > 0 && !ranges.includes('0.0.0.0/0') && !ranges.includes('::/0')) return ''
  const annotations = objectAt(objectAt(body, 'metadata'), 'annotations')
  const internal = Object.entries(annotations).some(
    ([key, value]) =>
      /internal|scheme|load-balancer-type/i.test(key.slice(-64)) && /^(true|internal)$/i.test(asText(value)),
  )
  return internal ? '' : 'network-opening'
}

/** Launching pods is everyday work; launching one that owns its node is not. */
function workloadEffect(call: KubernetesCall, put: Put): Effect | '' {
  if (!isJsonObject(call.body)) return ''
  const reach = nodeReach(podSpecOf(call.body))
  if (reach.length === 0) return ''
  put('grant', reach.join(', '))
  return 'compute-launch'
}

/** Spec of a pod, of the pod template of a workload, or of a cron job's. */
function podSpecOf(body: JsonObject): JsonObject {
  const spec = objectAt(body, 'spec')
  const job = objectAt(objectAt(spec, 'jobTemplate'), 'spec')
  for (const holder of [spec, job, body]) {
    if (isJsonObject(holder.template)) return objectAt(holder.template, 'spec')
  }
  return spec
}

/** Linux capabilities that amount to control over the node. */
const CAPABILITIES: ReadonlySet<string> = new Set([
  'ALL',
  'SYS_ADMIN',
  'SYS_PTRACE',
  'SYS_MODULE',
  'SYS_RAWIO',
  'DAC_READ_SEARCH',
  'BPF',
  'NET_ADMIN',
])
/** Directories of the node that hold its secrets, its configuration or the sockets of its runtimes. */
const SENSITIVE_PATHS =
  /^\/(etc|proc|sys|dev|root|home|boot|run|var\/run|var\/lib\/(kubelet|docker|containerd|crio|etcd)|var\/log)?(\/|$)/

/** The ways in which a pod reaches into its node: `privileged`, `hostPID`, `hostPath:/etc`, `cap:SYS_ADMIN`… */
function nodeReach(spec: JsonObject): readonly string[] {
  const reach = new Set<string>()
  for (const flag of ['hostNetwork', 'hostPID', 'hostIPC']) if (spec[flag] === true) reach.add(flag)
  for (const key of ['containers', 'initContainers', 'ephemeralContainers']) {
    for (const container of listAt(spec, key).slice(0, MOST_ENTRIES)) {
      const context = objectAt(asObject(container), 'securityContext')
      if (context.privileged === true) reach.add('privileged')
      for (const added of listAt(objectAt(context, 'capabilities'), 'add').slice(0, MOST_ENTRIES)) {
        const capability = asText(added).replace(/^CAP_/, '')
        if (CAPABILITIES.has(capability)) reach.add(`cap:${capability}`)
      }
    }
  }
  for (const volume of listAt(spec, 'volumes').slice(0, MOST_ENTRIES)) {
    const path = textAt(objectAt(asObject(volume), 'hostPath'), 'path')
    if (path !== '' && SENSITIVE_PATHS.test(path)) reach.add(`hostPath:${path.slice(0, 64)}`)
  }
  return [...reach]
}
