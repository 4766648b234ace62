/**
 * The words of the whole system.
 *
 * - **Activity**: one normalised event of a log (OCSF: API Activity 6003, Authentication 3002, HTTP Activity 4002).
 * - **Identity**: the durable principal: the role, never the session; the service account, never the pod.
 * - **Credential / session**: what the identity used this time. Learn about the identity, respond on the credential.
 * - **Origin**: where the request came from: an address with its network and country, or a named cloud service.
 * - **Draft**: what a source makes of a record, before origin look-up and defaults make it an Activity.
 *
 * In an Activity the empty string (and 0 for numbers that cannot be 0) means *absent*: the columns of ClickHouse are
 * not nullable, and one shape for every event keeps the hot path monomorphic.
 */

export const KINDS = ['cloudtrail', 'kubernetes', 'gateway', 'auth'] as const
/** The four kinds of log. */
export type Kind = (typeof KINDS)[number]

export const ACTIVITY_CLASSES = ['api_activity', 'authentication', 'http_activity'] as const
/** OCSF class of an activity: 6003, 3002, 4002. */
export type ActivityClass = (typeof ACTIVITY_CLASSES)[number]

export const ACCESS_LEVELS = ['list', 'read', 'write', 'permissions', 'tagging', 'auth'] as const
/** What kind of power the action exercises. */
export type AccessLevel = (typeof ACCESS_LEVELS)[number]

export const EFFECTS = [
  'audit-tampering', // stop, delete, narrow or redirect an audit trail, flow log, audit device, detector
  'credential-minting', // create a credential (key, token, login profile, secret id, certificate) for an identity
  'permission-grant', // attach or write a policy, binding, role, group membership, boundary removal
  'trust-change', // who may become this identity: trust policy, OIDC provider, federated credential, trust anchor
  'identity-creation', // create a user, role, service account, client, entity
  'sharing-outside', // make a resource readable by another account, tenant or the public
  'code-change', // replace code that runs under another identity: function code, layers, images, user data
  'compute-launch', // launch instances, pods, functions, jobs
  'remote-execution', // exec, attach, run command, debug in a running workload
  'secret-read', // read a secret, parameter, password data, user data, decrypt
  'network-opening', // open ingress to the world, remove a network policy
  'data-destruction', // delete or disable data, backups, keys
  'impersonation', // act as another subject: assume role, impersonate, token exchange
] as const
/** What the action does to security, the same word on every plane; detectors of content read this, never vendor names. */
export type Effect = (typeof EFFECTS)[number]

export const OUTCOMES = ['success', 'denied', 'failure', 'unknown'] as const
/** `denied`: refused by authentication or authorisation. `failure`: any other error. */
export type ActivityOutcome = (typeof OUTCOMES)[number]

export const IDENTITY_KINDS = [
  'role',
  'user',
  'root',
  'service-account',
  'workload',
  'client',
  'api-key',
  'consumer',
  'cloud-service',
  'node',
  'control-plane',
  'federated',
  'account',
  'host-account',
  'anonymous',
  'unknown',
] as const
export type IdentityKind = (typeof IDENTITY_KINDS)[number]

/** Machine or person: `unknown` is scored as a machine. */
export type Human = 'yes' | 'no' | 'unknown'

export interface Identity {
  /** Durable, globally unique: an ARN, `k8s:<cluster>:system:serviceaccount:ns:name`, `keycloak:<realm>:client:<id>`… */
  readonly id: string
  readonly kind: IdentityKind
  /** `aws`, `kubernetes`, `kong`, `okta`, `entra`, … */
  readonly provider: string
  /** AWS account, cluster, realm, Entra tenant, Vault namespace, API id, host. */
  readonly tenant: string
  readonly human: Human
  /** Why it was judged to be a machine or a person, in a few words. */
  readonly humanReason: string
}

export const NETWORK_KINDS = ['public', 'cloud', 'private', 'service', 'unknown'] as const
/** `cloud`: an address owned by a cloud provider. `service`: the caller is a named cloud service, not an address. */
export type NetworkKind = (typeof NETWORK_KINDS)[number]

export interface Origin {
  readonly kind: NetworkKind
  /** Canonical text of the address, or ''. */
  readonly address: string
  /** IPv4 /24 or IPv6 /48 in CIDR form; for private space the RFC block's own /24 or /48; '' without address. */
  readonly prefix: string
  /** ISO 3166-1 alpha-2, or '' for private, cloud and service origins (they have no geography). */
  readonly country: string
  /** Autonomous system number, 0 when none. */
  readonly asn: number
  /**
   * Who runs the network, the level between country and prefix: AS organisation, `aws:eu-west-1:ec2`, `private:10.0.0.0/8`,
   * `service:autoscaling.amazonaws.com`; '' when unknown.
   */
  readonly network: string
}

/** Where a credential was bound when it was issued; compared with where it is used. */
export interface Issuance {
  /** EC2 instance id/ARN, Lambda function ARN, pod `namespace/name`, … */
  readonly workload?: string
  readonly workloadUid?: string
  readonly node?: string
}

export interface Activity {
  /** `<source>:<tenant>:<producer's event id>`; the same event read twice has the same uid. */
  readonly uid: string
  /** Event time, epoch milliseconds, UTC. */
  readonly time: number
  readonly source: string
  readonly kind: Kind
  readonly class: ActivityClass
  readonly identity: Identity
  /** `iam.amazonaws.com:CreateUser`, `create pods/exec`, `GET /v1/orders/{id}`, `CLIENT_LOGIN`, `read secret/data/{id}`. */
  readonly action: string
  /** `iam.amazonaws.com`, `core/pods`, the API or upstream, the mount. */
  readonly service: string
  readonly accessLevel: AccessLevel
  /** What the action does to security; '' for the great majority that does nothing special. */
  readonly effect: Effect | ''
  /** The class of thing acted on: `iam:user`, `core/secrets`, route family; '' when none. */
  readonly resourceClass: string
  /** The things acted on, most specific first, at most 8. */
  readonly resources: readonly string[]
  readonly outcome: ActivityOutcome
  /** `AccessDenied`, `403`, `invalid_client_credentials`; '' on success. */
  readonly errorCode: string
  /** Access key id, `JTI=…`, key fingerprint, accessor; never a secret. */
  readonly credential: string
  /** `long-term-key`, `session`, `bound-token`, `certificate`, `client-secret`, `api-key`, `password`, `public-key`, … */
  readonly authMethod: string
  readonly session: string
  readonly issuance: Issuance
  readonly origin: Origin
  /** As sent, at most 512 characters. */
  readonly userAgent: string
  /** Software without versions: `aws-cli`, `boto3`, `kubectl`, `browser`. */
  readonly userAgentFamily: string
  /** Cloud region of the call, '' when none. */
  readonly region: string
  readonly requestId: string
  /** The subject acted as (impersonation, `onBehalfOf`), '' when none. */
  readonly actingAs: string
  /** Response bytes where the log says so. */
  readonly bytesOut: number
  /**
   * Named facts that detectors of content need; short strings only. Known names:
   * `targetIdentity` (canonical id of the identity acted on), `grantee` (who gains: principal, account id, `*` for the public),
   * `grant` (what is gained: policy ARN or name, `inline:<name>`, role name), `issuedCredential` (id of a minted credential),
   * `issuedTo` (canonical id of the identity it was minted for), `targetTenant` (another account or tenant named in the call),
   * `guard` (what `audit-tampering` hit when it is no audit trail: `admission-policy`, `events`,
   * `threat-detection`, `configuration-record`, `organisation`).
   */
  readonly details: Readonly<Record<string, string>>
}

/** What a source says of a record: an Activity in which everything optional may be missing and the origin is still text. */
export interface Draft {
  /** The producer's event id; the runner qualifies it by source and tenant. */
  eventId: string
  time: number
  class: ActivityClass
  identity: Identity
  action: string
  service: string
  accessLevel: AccessLevel
  outcome: ActivityOutcome
  /** An IP address (a port is stripped), a service name such as `autoscaling.amazonaws.com`, or absent. */
  origin?: string | undefined
  effect?: Effect | undefined
  resourceClass?: string | undefined
  resources?: readonly string[] | undefined
  errorCode?: string | undefined
  credential?: string | undefined
  authMethod?: string | undefined
  session?: string | undefined
  issuance?: Issuance | undefined
  userAgent?: string | undefined
  region?: string | undefined
  requestId?: string | undefined
  actingAs?: string | undefined
  bytesOut?: number | undefined
  details?: Readonly<Record<string, string>> | undefined
}
