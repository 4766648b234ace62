import type { Random } from '../random.ts'
import { isoSecond } from './iso-time.ts'
import type { CompanyRecord } from './record.ts'

export interface KubernetesRequest {
  /** When it was received, epoch ms; microseconds are drawn. */
  readonly time: number
  readonly verb: string
  /** API group, '' for core. */
  readonly group: string
  readonly resource: string
  readonly subresource?: string | undefined
  readonly namespace?: string | undefined
  readonly name?: string | undefined
  /** The `user` object as JSON text. */
  readonly user: string
  readonly address: string
  readonly userAgent: string
  /** 200 when absent. */
  readonly code?: number | undefined
  /** What let it through, e.g. `RoleBinding "a/b" of Role "c" to ServiceAccount "d/b"`. */
  readonly because?: string | undefined
  /** Request body as JSON text: makes the record level Request. */
  readonly body?: string | undefined
  /** Id of the token that a TokenRequest issued. */
  readonly issued?: string | undefined
}

/** One audit event of stage ResponseComplete. The audit id is drawn from `random`. */
export function kubernetesLine(request: KubernetesRequest, random: Random): string {
  const { time, verb, group, resource, subresource, namespace, name } = request
  const code = request.code ?? (verb === 'create' ? 201 : 200)
  const list = verb === 'list' || verb === 'watch'
  const uri = `${group === '' ? '/api/v1' : `/apis/${group}/v1`}${namespace === undefined ? '' : `/namespaces/${namespace}`}/${resource}${name === undefined ? '' : `/${name}`}${subresource === undefined ? '' : `/${subresource}`}${list ? '?limit=500&resourceVersion=0' : ''}`
  const reference = `{"resource":"${resource}"${namespace === undefined ? '' : `,"namespace":"${namespace}"`}${name === undefined ? '' : `,"name":"${name}"`}${group === '' ? '' : `,"apiGroup":"${group}"`},"apiVersion":"v1"${subresource === undefined ? '' : `,"subresource":"${subresource}"`}}`
  const denied = code === 403
  const status =
    code < 400
      ? `{"metadata":{},"code":${code}}`
      : `{"metadata":{},"status":"Failure","message":"${resource} ${denied ? 'is forbidden' : code === 404 ? 'not found' : 'cannot be changed: the object has been modified'}","reason":"${denied ? 'Forbidden' : code === 404 ? 'NotFound' : 'Conflict'}","details":{"kind":"${resource}"},"code":${code}}`
  const second = isoSecond(time)
  const micros = (time % 1000) * 1000 + random.int(1000)
  const took = 1000 + random.int(9000)
  // The answer must not seem to come before the question: stay inside the second.
  const done = Math.min(999_999, micros + took)
  return `{"kind":"Event","apiVersion":"audit.k8s.io/v1","level":"${request.body === undefined ? 'Metadata' : 'Request'}","auditID":"${random.uuid()}","stage":"ResponseComplete","requestURI":"${uri}","verb":"${verb}","user":${request.user},"sourceIPs":["${request.address}"],"userAgent":"${request.userAgent}","objectRef":${reference},"responseStatus":${status},${request.body === undefined ? '' : `"requestObject":${request.body},`}"requestReceivedTimestamp":"${second}.${String(micros).padStart(6, '0')}Z","stageTimestamp":"${second}.${String(done).padStart(6, '0')}Z","annotations":{${request.issued === undefined ? '' : `"authentication.kubernetes.io/issued-credential-id":"${request.issued}",`}"authorization.k8s.io/decision":"${denied ? 'forbid' : 'allow'}","authorization.k8s.io/reason":${JSON.stringify(denied || request.because === undefined ? '' : `RBAC: allowed by ${request.because}`)}}}`
}

export function kubernetesRecord(request: KubernetesRequest, random: Random): CompanyRecord {
  return { time: request.time, source: 'kubernetes-audit', line: kubernetesLine(request, random) }
}

export interface BoundToken {
  readonly namespace: string
  readonly serviceAccount: string
  readonly uid: string
  /** `JTI=…` */
  readonly credentialId: string
  readonly pod: string
  readonly podUid: string
  readonly node: string
  readonly nodeUid: string
  readonly nodeAddress: string
}

/** `user` of a service account that shows a token bound to a pod, JSON text. */
export function boundUser(token: BoundToken): string {
  const { namespace, serviceAccount } = token
  return `{"username":"system:serviceaccount:${namespace}:${serviceAccount}","uid":"${token.uid}","groups":["system:serviceaccounts","system:serviceaccounts:${namespace}","system:authenticated"],"extra":{"authentication.kubernetes.io/credential-id":["${token.credentialId}"],"authentication.kubernetes.io/node-name":["${token.node}"],"authentication.kubernetes.io/node-uid":["${token.nodeUid}"],"authentication.kubernetes.io/pod-name":["${token.pod}"],"authentication.kubernetes.io/pod-uid":["${token.podUid}"]}}`
}

/** `user` of a service account that shows a token bound to nothing, JSON text. */
export function unboundUser(token: {
  readonly namespace: string
  readonly serviceAccount: string
  readonly uid: string
  readonly credentialId: string
}): string {
  const { namespace, serviceAccount } = token
  return `{"username":"system:serviceaccount:${namespace}:${serviceAccount}","uid":"${token.uid}","groups":["system:serviceaccounts","system:serviceaccounts:${namespace}","system:authenticated"],"extra":{"authentication.kubernetes.io/credential-id":["${token.credentialId}"]}}`
}

/** `user` with a client certificate, JSON text. */
export function certificateUser(username: string, group: string, certificate: string): string {
  return `{"username":"${username}","groups":["${group}","system:authenticated"],"extra":{"authentication.kubernetes.io/credential-id":["X509SHA256=${certificate}"]}}`
}
