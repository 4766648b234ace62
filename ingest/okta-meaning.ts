/** What an event type of Okta's System Log does to security. */
import type { AccessLevel, ActivityClass, Effect } from './activity.ts'

/**
 * Start of the event type, and its effect; '' for the exceptions of a longer rule. The first that fits counts. Names are
 * those of the producer's event type catalogue.
 */
const EFFECTS: readonly (readonly [string, Effect | ''])[] = [
  ['system.api_token.create', 'credential-minting'],
  ['system.api_token.enable', 'credential-minting'],
  ['app.oauth2.client.lifecycle.create', 'identity-creation'],
  ['app.oauth2.credentials.lifecycle.delete', ''],
  ['app.oauth2.credentials.lifecycle.deactivate', ''],
  ['app.oauth2.credentials.lifecycle', 'credential-minting'],
  ['app.oauth2.client.privilege.grant', 'permission-grant'],
  ['app.oauth2.client_id_rate_limit', ''],
  ['app.oauth2.admin.consent.grant', 'permission-grant'],
  ['app.oauth2.as.consent.grant', 'permission-grant'],
  ['app.oauth2.trusted_server.add', 'trust-change'],
  ['app.keys.', 'credential-minting'],
  ['credential.register', 'credential-minting'],
  ['pki.cert.issue', 'credential-minting'],
  ['user.account.privilege.grant', 'permission-grant'],
  ['group.privilege.grant', 'permission-grant'],
  ['group.user_membership.add', 'permission-grant'],
  ['application.user_membership.add', 'permission-grant'],
  ['group.application_assignment.add', 'permission-grant'],
  ['iam.role.create', 'permission-grant'],
  ['iam.role.permissions.add', 'permission-grant'],
  ['iam.resourceset.bindings.add', 'permission-grant'],
  ['iam.resourceset.bindings.member.add', 'permission-grant'],
  ['system.log_stream.lifecycle.create', ''],
  ['system.log_stream.lifecycle.activate', ''],
  ['system.log_stream.lifecycle', 'audit-tampering'],
  ['event_hook.deactivated', 'audit-tampering'],
  ['event_hook.deleted', 'audit-tampering'],
  ['event_hook.updated', 'audit-tampering'],
  ['security.threat.configuration.update', 'audit-tampering'],
  ['system.idp.key', 'trust-change'],
  ['system.idp.lifecycle', 'trust-change'],
  ['system.brand', ''],
  ['policy.lifecycle', 'trust-change'],
  ['policy.rule', 'trust-change'],
  ['application.policy.sign_on', 'trust-change'],
  ['user.mfa.factor.deactivate', 'trust-change'],
  ['user.mfa.factor.reset_all', 'trust-change'],
  ['user.mfa.factor.suspend', 'trust-change'],
  ['user.mfa.factor.activate', 'credential-minting'],
  ['user.account.reset_password', 'credential-minting'],
  ['user.session.impersonation', 'impersonation'],
  ['user.lifecycle.create', 'identity-creation'],
  ['application.lifecycle.create', 'identity-creation'],
  ['application.lifecycle.update', 'trust-change'],
  ['zone.', 'network-opening'],
  ['network_zone.', 'network-opening'],
  ['user.lifecycle.delete', 'data-destruction'],
  ['application.lifecycle.delete', 'data-destruction'],
]

const AUTHENTICATION = [
  'user.session.start',
  'user.session.end',
  'user.session.access_admin_app',
  'user.authentication',
  'user.mfa.attempt',
  'app.oauth2.token.',
  'app.oauth2.as.token.',
  'app.oauth2.authorize',
  'app.oauth2.as.authorize',
  'app.oauth2.interact',
  'policy.evaluate_sign_on',
  'system.client.',
  'security.',
]

export interface OktaMeaning {
  readonly effect: Effect | undefined
  readonly class: ActivityClass
  readonly accessLevel: AccessLevel
  /** First part of the type: `user`, `app`, `system`, … */
  readonly service: string
}

const known = new Map<string, OktaMeaning>()
const MOST_KNOWN = 2000

/** Event types are few and come again with every event: judged once. */
export function oktaMeaning(eventType: string): OktaMeaning {
  const cached = known.get(eventType)
  if (cached !== undefined) return cached
  const effect = EFFECTS.find(([start]) => eventType.startsWith(start))?.[1] ?? ''
  const isLogin = effect === '' && AUTHENTICATION.some((start) => eventType.startsWith(start))
  const dot = eventType.indexOf('.')
  const meaning: OktaMeaning = {
    effect: effect === '' ? undefined : effect,
    class: isLogin ? 'authentication' : 'api_activity',
    accessLevel: isLogin ? 'auth' : levelOf(eventType, effect),
    service: dot < 0 ? eventType : eventType.slice(0, dot),
  }
  if (known.size >= MOST_KNOWN) known.clear()
  known.set(eventType, meaning)
  return meaning
}

function levelOf(eventType: string, effect: Effect | ''): AccessLevel {
  if (effect === 'permission-grant' || effect === 'trust-change') return 'permissions'
  if (effect === 'credential-minting') return 'auth'
  return /\.(view|read|export|download|search)\b/.test(eventType) ? 'read' : 'write'
}
