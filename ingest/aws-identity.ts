/** Who made an AWS call: the durable principal behind `userIdentity`, whether it is a machine, and what it showed. */
import type { Human, Identity, IdentityKind, Issuance } from './activity.ts'
import { accountOf } from './aws-grants.ts'
import { canonicalPrincipal } from './aws-principal.ts'

type Text = string | null | undefined

/** `userIdentity` of a CloudTrail record, as far as we read it. */
export interface AwsUser {
  readonly type?: Text
  readonly principalId?: Text
  readonly arn?: Text
  readonly accountId?: Text
  readonly accessKeyId?: Text
  readonly userName?: Text
  readonly invokedBy?: Text
  readonly identityProvider?: Text
  readonly credentialId?: Text
  readonly onBehalfOf?: { readonly userId?: Text; readonly identityStoreArn?: Text } | null | undefined
  readonly inScopeOf?: { readonly credentialsIssuedTo?: Text } | null | undefined
  readonly sessionContext?:
    | {
        readonly sessionIssuer?: { readonly arn?: Text; readonly accountId?: Text } | null | undefined
        readonly webIdFederationData?: { readonly federatedProvider?: Text } | null | undefined
        readonly attributes?:
          | { readonly mfaAuthenticated?: string | boolean | null | undefined }
          | null
          | undefined
        readonly ec2RoleDelivery?: Text
      }
    | null
    | undefined
}

/**
 * The rest of the record, as far as it tells people from machines: what AWS says, never what the caller wrote. A stolen
 * credential would turn into a person by sending another user agent.
 */
export interface AwsCallerSigns {
  readonly recipientAccount: string
  /** `sessionCredentialFromConsole`: AWS itself says that the credential was issued to a console session. */
  readonly fromConsole: boolean
  readonly signIn: boolean
}

export interface AwsCaller {
  readonly identity: Identity
  readonly credential: string
  readonly authMethod: string
  readonly session: string
  readonly issuance: Issuance | undefined
}

interface Judgement {
  readonly human: Human
  readonly humanReason: string
}

const yes = (humanReason: string): Judgement => ({ human: 'yes', humanReason })
const no = (humanReason: string): Judgement => ({ human: 'no', humanReason })
const unknown = (humanReason: string): Judgement => ({ human: 'unknown', humanReason })

/** The caller, or undefined when the record names nobody at all. */
export function awsCaller(user: AwsUser, signs: AwsCallerSigns): AwsCaller | undefined {
  const session = sessionOf(user)
  const identity = identityOf(user, signs, session)
  if (identity === undefined) return undefined
  return {
    identity,
    credential: user.accessKeyId || user.credentialId || '',
    authMethod: authMethodOf(user, signs),
    session,
    issuance: issuanceOf(user, session),
  }
}

function identityOf(user: AwsUser, signs: AwsCallerSigns, session: string): Identity | undefined {
  const arn = user.arn || ''
  const tenant = user.accountId || accountOf(arn) || signs.recipientAccount
  const make = (id: string, kind: IdentityKind, judgement: Judgement, owner = tenant): Identity => ({
    id: id.length > 512 ? id.slice(0, 512) : id,
    kind,
    provider: 'aws',
    tenant: owner,
    human: judgement.human,
    humanReason: judgement.humanReason,
  })
  switch (user.type) {
    case 'AssumedRole':
    case 'Role': {
      const issuer = user.sessionContext?.sessionIssuer
      const role = issuer?.arn || arn
      const id = canonicalPrincipal(role)
      if (!issuer?.arn && !id.includes(':role/')) return nobody(user, make)
      // The role's account, which is not the caller's account when a session is used across accounts.
      return make(id, 'role', judgeRole(role, user, session), accountOf(role) || tenant)
    }
    case 'IAMUser': {
      const id = arn || userArnOf(user, tenant)
      return id === '' ? nobody(user, make) : make(canonicalPrincipal(id), 'user', judgeUser(user, signs))
    }
    case 'Root': {
      if (tenant === '') return undefined
      const judgement =
        signs.signIn || signs.fromConsole
          ? yes('root user at the console')
          : unknown('root user without console sign-in')
      return make(arn || `arn:aws:iam::${tenant}:root`, 'root', judgement)
    }
    case 'AWSService':
      return user.invokedBy ? make(user.invokedBy, 'cloud-service', no('AWS service')) : nobody(user, make)
    case 'AWSAccount':
      return make(...accountIdentity(user))
    case 'FederatedUser':
      if (arn === '') return nobody(user, make)
      return make(arn, 'federated', unknown('federated user of a long-term key'))
    case 'WebIdentityUser':
      if (!user.userName && !user.principalId) return nobody(user, make)
      return make(subjectId(user), 'federated', webIdentity(user.identityProvider || ''))
    case 'SAMLUser':
      if (!user.userName && !user.principalId) return nobody(user, make)
      return make(subjectId(user), 'federated', yes('SAML sign-in'))
    case 'Directory':
      return user.userName
        ? make(`aws:directory:${tenant}:${user.userName}`, 'federated', yes('directory user'))
        : nobody(user, make)
    case 'IdentityCenterUser': {
      const id = user.onBehalfOf?.userId || user.principalId || ''
      if (id === '') return nobody(user, make)
      const store = user.onBehalfOf?.identityStoreArn || ''
      return make(
        `aws:identity-center:${store.slice(store.lastIndexOf('/') + 1)}:${id}`,
        'federated',
        yes('IAM Identity Center user'),
      )
    }
    default:
      return nobody(user, make)
  }
}

type Make = (id: string, kind: IdentityKind, judgement: Judgement) => Identity

/** Records without a usable principal: a service event names the service, the rest at least an account. */
function nobody(user: AwsUser, make: Make): Identity | undefined {
  if (user.invokedBy) return make(user.invokedBy, 'cloud-service', no('AWS service'))
  const account = user.accountId || ''
  const principal = uniqueId(user.principalId || '')
  if (account === '' && principal === '') return undefined
  const id = principal === '' || principal === account ? account : `${account}:${principal}`
  return make(`aws:unknown:${id}`, 'unknown', unknown('CloudTrail does not name the principal'))
}

/** A caller of another account is known only by that account and its unique id (`AROA…`, `AIDA…`). */
function accountIdentity(user: AwsUser): [string, IdentityKind, Judgement] {
  const account = user.accountId || ''
  if (account === 'ANONYMOUS_PRINCIPAL') return ['aws:anonymous', 'anonymous', unknown('unsigned request')]
  const principal = uniqueId(user.principalId || '')
  const id = principal === '' || principal === account ? account : `${account}:${principal}`
  return [`aws:account:${id}`, 'account', unknown('principal of another account')]
}

/** The part before the session name. */
function uniqueId(principalId: string): string {
  const colon = principalId.indexOf(':')
  return colon < 0 ? principalId : principalId.slice(0, colon)
}

/** Provider and subject: `aws:federated:<provider>:<subject>`. */
function subjectId(user: AwsUser): string {
  if (!user.identityProvider) return `aws:federated:${user.principalId || user.userName || ''}`
  return `aws:federated:${user.identityProvider}:${user.userName || user.principalId || ''}`
}

/** Failed sign-ins carry the name only, and hide it when it may be a mistyped password. */
function userArnOf(user: AwsUser, account: string): string {
  const name = user.userName || ''
  if (name === '' || name === 'HIDDEN_DUE_TO_SECURITY_REASONS' || account === '') return ''
  return `arn:aws:iam::${account}:user/${name}`
}

function judgeUser(user: AwsUser, signs: AwsCallerSigns): Judgement {
  if (signs.signIn || signs.fromConsole || user.invokedBy === 'signin.amazonaws.com')
    return yes('console sign-in')
  const mfa = user.sessionContext?.attributes?.mfaAuthenticated
  if (mfa === true || mfa === 'true') return yes('session with MFA')
  const longTerm = (user.accessKeyId || '').startsWith('AKIA')
  return unknown(longTerm ? 'long-term key, no sign of a person' : 'no sign of a person or a workload')
}

function judgeRole(role: string, user: AwsUser, session: string): Judgement {
  const context = user.sessionContext
  // The path is reserved to AWS: anybody who may create roles may give one the name alone.
  if (role.includes(':role/aws-reserved/')) return yes('IAM Identity Center role')
  const provider = context?.webIdFederationData?.federatedProvider || ''
  if (provider.includes(':saml-provider/')) return yes('SAML sign-in')
  if (role.includes(':role/aws-service-role/')) return no('service-linked role')
  if (provider !== '') return webIdentity(provider)
  if (context?.ec2RoleDelivery || isInstanceId(session)) return no('instance profile')
  if (user.inScopeOf?.credentialsIssuedTo) return no('credentials issued to a workload')
  if (user.invokedBy && user.invokedBy !== 'signin.amazonaws.com')
    return no(`assumed by ${user.invokedBy.slice(0, 80)}`)
  return unknown('role without sign of a person or a workload')
}

/** Social providers sign people in; EKS, GitHub and every other issuer sign workloads in. */
function webIdentity(provider: string): Judgement {
  if (/cognito|accounts\.google\.com|graph\.facebook\.com|www\.amazon\.com/.test(provider.slice(0, 256))) {
    return unknown('web identity of an application user')
  }
  return no('web identity of a workload')
}

function sessionOf(user: AwsUser): string {
  if (user.type === 'WebIdentityUser') return ''
  const principal = user.principalId || ''
  const colon = principal.indexOf(':')
  if (colon >= 0) return principal.slice(colon + 1, colon + 257)
  const arn = user.arn || ''
  return arn.includes(':assumed-role/') ? arn.slice(arn.lastIndexOf('/') + 1).slice(0, 256) : ''
}

function authMethodOf(user: AwsUser, signs: AwsCallerSigns): string {
  switch (user.type) {
    case 'WebIdentityUser':
      return 'web-identity'
    case 'SAMLUser':
      return 'saml'
    case 'AWSService':
      return 'service'
    case 'IdentityCenterUser':
      return 'identity-center'
  }
  if (signs.signIn || signs.fromConsole) return 'console'
  const key = user.accessKeyId || ''
  if (key.startsWith('AKIA')) return 'long-term-key'
  if (key.startsWith('ASIA')) return 'session'
  if (user.invokedBy) return 'service'
  return ''
}

function issuanceOf(user: AwsUser, session: string): Issuance | undefined {
  const issuedTo = user.inScopeOf?.credentialsIssuedTo
  if (issuedTo) return { workload: issuedTo.slice(0, 512) }
  return isInstanceId(session) ? { workload: session } : undefined
}

/** Instance profile sessions are named after the instance, and only the metadata service gives such names in fact. */
function isInstanceId(session: string): boolean {
  return session.length <= 19 && /^i-([0-9a-f]{8}|[0-9a-f]{17})$/i.test(session)
}
