import { z } from 'zod'
import type { ActivityOutcome } from '../activity.ts'
import { asObject, asText } from '../json-values.ts'
import { type KubernetesCall, kubernetesId, kubernetesMeaning } from '../kubernetes-actions.ts'
import { kubernetesCaller } from '../kubernetes-identity.ts'
import { accepted, dead, filtered } from '../outcome.ts'
import { defineSource, type JsonObject, type Sample } from '../source.ts'
import { parseTime } from '../time.ts'

const text = z.string().nullish()
const moment = z.union([z.string(), z.number()]).nullish()

/** Bodies and annotations are read by hand: their shape is the business of the API that was called. */
const schema = z.object({
  auditID: text,
  stage: text,
  verb: text,
  requestURI: text,
  userAgent: text,
  requestReceivedTimestamp: moment,
  timestamp: moment,
  stageTimestamp: moment,
  sourceIPs: z.array(z.string()).nullish(),
  user: z.object({ username: text, extra: z.unknown().optional() }).nullish(),
  impersonatedUser: z.object({ username: text }).nullish(),
  objectRef: z
    .object({ resource: text, subresource: text, namespace: text, name: text, apiGroup: text })
    .nullish(),
  responseStatus: z.object({ code: z.number().nullish() }).nullish(),
  annotations: z.unknown().optional(),
  requestObject: z.unknown().optional(),
})

type AuditRecord = z.infer<typeof schema>

const pod = {
  'authentication.kubernetes.io/credential-id': ['JTI=00000000-0000-4000-8000-000000000001'],
  'authentication.kubernetes.io/pod-name': ['cart-6f5d-abcde'],
  'authentication.kubernetes.io/pod-uid': ['00000000-0000-4000-8000-0000000000aa'],
  'authentication.kubernetes.io/node-name': ['node-a'],
}
const cart = { username: 'system:serviceaccount:shop:cart', extra: pod }
const admin = { username: 'admin', groups: ['system:masters'] }

const record = (verb: string, user: JsonObject, resource: string, rest: JsonObject = {}): JsonObject => {
  const [name, subresource] = resource.split('/')
  return {
    kind: 'Event',
    apiVersion: 'audit.k8s.io/v1',
    auditID: `${verb}-${resource}`,
    stage: 'ResponseComplete',
    requestURI: `/api/v1/namespaces/shop/${resource}`,
    verb,
    user,
    sourceIPs: ['203.0.113.9', '198.51.100.7'],
    userAgent: 'shop/1.4',
    objectRef: { resource: name, namespace: 'shop', ...(subresource ? { subresource } : {}) },
    responseStatus: { code: 200 },
    requestReceivedTimestamp: '2026-03-02T08:15:30.123456Z',
    ...rest,
  }
}

const samples: readonly Sample[] = [
  {
    name: 'pod reads a secret with its bound token; the peer address counts, not the forwarded one',
    record: record('get', cart, 'secrets', {
      objectRef: { resource: 'secrets', namespace: 'shop', name: 'db' },
    }),
    expect: {
      outcome: 'accepted',
      draft: {
        'identity.id': 'k8s:default:system:serviceaccount:shop:cart',
        'identity.kind': 'service-account',
        'identity.human': 'no',
        action: 'get secrets',
        service: 'core/secrets',
        accessLevel: 'read',
        effect: 'secret-read',
        'resources.0': 'core/secrets:shop/db',
        credential: 'JTI=00000000-0000-4000-8000-000000000001',
        authMethod: 'bound-token',
        'issuance.workload': 'shop/cart-6f5d-abcde',
        'issuance.node': 'node-a',
        origin: '198.51.100.7',
        time: 1_772_439_330_123,
      },
    },
  },
  {
    name: 'refused authentication: an attempt by nobody, logged in stage ResponseStarted only',
    record: record('list', {}, 'secrets', { stage: 'ResponseStarted', responseStatus: { code: 401 } }),
    expect: {
      outcome: 'accepted',
      draft: {
        'identity.id': 'k8s:default:system:unauthenticated',
        'identity.kind': 'anonymous',
        outcome: 'denied',
        errorCode: '401',
      },
    },
  },
  {
    name: 'binding that makes the public an administrator',
    record: record('create', admin, 'clusterrolebindings', {
      objectRef: { resource: 'clusterrolebindings', name: 'open', apiGroup: 'rbac.authorization.k8s.io' },
      responseStatus: { code: 201 },
      requestObject: {
        subjects: [{ kind: 'Group', name: 'system:unauthenticated' }],
        roleRef: { kind: 'ClusterRole', name: 'cluster-admin' },
      },
    }),
    expect: {
      outcome: 'accepted',
      draft: {
        'identity.kind': 'user',
        accessLevel: 'permissions',
        effect: 'permission-grant',
        resourceClass: 'rbac.authorization.k8s.io/clusterrolebindings',
        'details.grantee': '*',
        'details.grant': 'ClusterRole/cluster-admin',
      },
    },
  },
  {
    name: 'token minted for another service account',
    record: record('create', admin, 'serviceaccounts/token', {
      objectRef: { resource: 'serviceaccounts', subresource: 'token', namespace: 'shop', name: 'ledger' },
      annotations: { 'authentication.kubernetes.io/issued-credential-id': 'JTI=2' },
    }),
    expect: {
      outcome: 'accepted',
      draft: {
        action: 'create serviceaccounts/token',
        accessLevel: 'auth',
        effect: 'credential-minting',
        'details.issuedCredential': 'JTI=2',
        'details.issuedTo': 'k8s:default:system:serviceaccount:shop:ledger',
      },
    },
  },
  {
    name: 'impersonation: the actor is the identity',
    record: record('list', { username: 'ann@example.test' }, 'pods', {
      impersonatedUser: { username: 'oncall' },
    }),
    expect: {
      outcome: 'accepted',
      draft: {
        'identity.id': 'k8s:default:ann@example.test',
        'identity.human': 'yes',
        actingAs: 'k8s:default:oncall',
        effect: 'impersonation',
      },
    },
  },
  {
    name: 'command run in a pod',
    record: record('create', cart, 'pods/exec', { responseStatus: { code: 403 } }),
    expect: {
      outcome: 'accepted',
      draft: { action: 'create pods/exec', effect: 'remote-execution', outcome: 'denied' },
    },
  },
  {
    name: 'stage before the answer',
    record: record('get', cart, 'pods', { stage: 'RequestReceived' }),
    expect: { outcome: 'filtered', reason: 'stage' },
  },
  { name: 'watch', record: record('watch', cart, 'pods'), expect: { outcome: 'filtered', reason: 'watch' } },
  {
    name: 'refused watch',
    record: record('watch', cart, 'secrets', { responseStatus: { code: 403 } }),
    expect: {
      outcome: 'accepted',
      draft: { action: 'watch secrets', outcome: 'denied', effect: 'secret-read' },
    },
  },
  {
    name: 'lease renewal',
    record: record('update', { username: 'system:node:node-a' }, 'leases', {
      objectRef: {
        resource: 'leases',
        apiGroup: 'coordination.k8s.io',
        namespace: 'kube-node-lease',
        name: 'node-a',
      },
    }),
    expect: { outcome: 'filtered', reason: 'lease' },
  },
  {
    name: 'health check',
    record: record('get', { username: 'system:anonymous' }, '', {
      requestURI: '/readyz?verbose',
      objectRef: null,
    }),
    expect: { outcome: 'filtered', reason: 'health' },
  },
  {
    name: 'user of a wrong type',
    record: record('get', cart, 'pods', { user: 'admin' }),
    expect: { outcome: 'dead', reason: 'wrong-type' },
  },
]

/** Audit log of a Kubernetes API server. Blind to what happens inside pods and to what the audit policy leaves out. */
export const source = defineSource<AuditRecord>({
  id: 'kubernetes-audit',
  title: 'Kubernetes audit log',
  kind: 'kubernetes',
  sees: 'Requests to the API server with subject, token or certificate, pod and node of the token, decision and answer.',
  misses: 'Traffic inside the cluster, the kubelet API, and bodies of requests below audit level Request.',
  needs:
    'An audit policy of level Metadata or above, and RequestResponse for RBAC; log files, webhook or a cloud export.',
  documentation: 'https://kubernetes.io/docs/reference/config-api/apiserver-audit.v1/',
  format: 'json',
  // Some exports drop apiVersion. A core/v1 Event, which has the same kind, has neither auditID nor verb.
  recognises: (entry) =>
    entry.kind === 'Event' &&
    (typeof entry.apiVersion === 'string'
      ? entry.apiVersion.startsWith('audit.k8s.io/')
      : entry.apiVersion == null && (typeof entry.auditID === 'string' || typeof entry.verb === 'string')),
  schema,
  samples,
  normalise(entry, context) {
    const username = entry.user?.username ?? ''
    const code = entry.responseStatus?.code ?? 0
    const stage = entry.stage || 'ResponseComplete'
    // Stages of a request share its auditID; only the last knows the outcome. The exception: a refused authentication has
    // no later stage than ResponseStarted.
    const refused = username === '' && code === 401
    if (stage !== 'ResponseComplete' && stage !== 'Panic' && !(refused && stage === 'ResponseStarted')) {
      return filtered('stage')
    }
    const annotations = asObject(entry.annotations)
    const outcome = outcomeOf(code, stage, annotations)
    const reference = entry.objectRef
    const resource = reference?.resource ?? ''
    const verb = (entry.verb || 'unknown').slice(0, 64)
    const path = resource === '' ? pathOf(entry.requestURI ?? '') : ''
    if (outcome !== 'denied') {
      if (/^\/(healthz|livez|readyz)(\/|$)/.test(path)) return filtered('health')
      if (verb === 'watch') return filtered('watch')
      if (resource === 'leases' && verb !== 'delete' && verb !== 'deletecollection') return filtered('lease')
    }
    if (username === '' && !refused) return filtered('no-identity')
    const when = entry.requestReceivedTimestamp ?? entry.timestamp ?? entry.stageTimestamp
    const time = when == null ? undefined : parseTime(when)
    if (time === undefined)
      return dead('normalise', 'bad-time', 'kubernetes-audit: requestReceivedTimestamp: not a time')

    const cluster = context.tenant || 'default'
    const caller = kubernetesCaller(entry.user ?? {}, annotations, cluster)
    const impersonated = entry.impersonatedUser?.username ?? ''
    const call: KubernetesCall = {
      cluster,
      username,
      verb,
      group: (reference?.apiGroup ?? '').slice(0, 128),
      resource: resource.slice(0, 128),
      subresource: (reference?.subresource ?? '').slice(0, 64),
      namespace: reference?.namespace ?? '',
      name: reference?.name ?? '',
      impersonates: impersonated !== '',
      body: entry.requestObject,
      issuedCredential: asText(annotations['authentication.kubernetes.io/issued-credential-id']),
    }
    const meaning = kubernetesMeaning(call)
    const kind = call.resource === '' ? '' : `${call.group || 'core'}/${call.resource}`
    const addresses = entry.sourceIPs ?? []
    const peer = addresses.at(-1)
    const forwarded = addresses.length > 1 ? addresses[0] : undefined
    return accepted({
      eventId: entry.auditID || context.recordHash(),
      time,
      class: 'api_activity',
      identity: caller.identity,
      action: actionOf(call, path),
      service: kind || 'non-resource',
      accessLevel: meaning.accessLevel,
      effect: meaning.effect || undefined,
      outcome,
      errorCode: code >= 400 ? String(code) : outcome === 'denied' ? 'forbid' : '',
      // Every address but the last is what the client put into X-Forwarded-For: only the last is the peer's own.
      origin: peer?.slice(0, 256),
      resourceClass: kind,
      resources: kind === '' ? undefined : [resourceOf(kind, call)],
      credential: caller.credential,
      authMethod: caller.authMethod,
      session: caller.session,
      issuance: caller.issuance,
      userAgent: (entry.userAgent ?? '').slice(0, 512),
      requestId: entry.auditID ?? undefined,
      actingAs: impersonated === '' ? undefined : kubernetesId(cluster, impersonated),
      details:
        forwarded === undefined || forwarded === peer
          ? meaning.details
          : { ...meaning.details, forwardedFor: forwarded.slice(0, 64) },
    })
  },
})

function outcomeOf(code: number, stage: string, annotations: JsonObject): ActivityOutcome {
  if (code === 401 || code === 403 || annotations['authorization.k8s.io/decision'] === 'forbid')
    return 'denied'
  if (stage === 'Panic' || code >= 400) return 'failure'
  return code === 0 ? 'unknown' : 'success'
}

function actionOf(call: KubernetesCall, path: string): string {
  if (call.resource === '') return path === '' ? call.verb : `${call.verb} ${path}`
  return call.subresource === ''
    ? `${call.verb} ${call.resource}`
    : `${call.verb} ${call.resource}/${call.subresource}`
}

function resourceOf(kind: string, call: KubernetesCall): string {
  const name = call.name || '*'
  return `${kind}:${call.namespace === '' ? name : `${call.namespace}/${name}`}`.slice(0, 512)
}

/** Path of a non-resource URL, at most four segments of it: a scanner's invented paths must not become endless actions. */
function pathOf(uri: string): string {
  const query = uri.indexOf('?')
  const path = (query < 0 ? uri : uri.slice(0, query)).slice(0, 128)
  const segments = path.split('/', 6)
  return segments.length > 5 ? `${segments.slice(0, 5).join('/')}/…` : path
}
