import { defineAttack } from '../attack.ts'
import { keycloakRecord } from '../company/keycloak-record.ts'
import { attackerIn } from '../company/networks.ts'

/** A client's secret used from abroad, with wider scopes than the client ever asked for. */
export const attack = defineAttack({
  id: 'keycloak-secret-theft',
  title: 'Client secret used from abroad with wider scopes',
  attacks: [
    { tactic: 'TA0001', technique: 'T1078.004' },
    { tactic: 'TA0006', technique: 'T1528' },
  ],
  loudness: 'medium',
  plane: 'keycloak',
  inject({ company, random, at }) {
    const victim = random.pick(company.keycloak)
    const address = attackerIn('claro', random)
    const asked: readonly (readonly [scope: string, error: string | undefined])[] = [
      [victim.scope, undefined],
      ['admin', 'invalid_scope'],
      ['realm-management', 'invalid_scope'],
      [`${victim.scope} offline_access`, undefined],
      [`${victim.scope} roles offline_access`, undefined],
    ]
    const records = asked.map(([scope, error], index) =>
      keycloakRecord(
        {
          time: at + index * 11_000 + random.int(5000),
          type: error === undefined ? 'CLIENT_LOGIN' : 'CLIENT_LOGIN_ERROR',
          clientId: victim.clientId,
          userId: victim.userId,
          username: `service-account-${victim.clientId}`,
          address,
          scope,
          error,
        },
        random,
      ),
    )
    return { identity: victim.identity.id, records }
  },
})
