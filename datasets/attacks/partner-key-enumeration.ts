import { defineAttack } from '../attack.ts'
import { gatewayRecord } from '../company/gateway-record.ts'
import { attackerIn } from '../company/networks.ts'

/** A partner's API key from another country walks through order numbers and asks for routes the partner never used. */
export const attack = defineAttack({
  id: 'partner-key-enumeration',
  title: 'Partner key enumerates orders from another country',
  attacks: [
    { tactic: 'TA0001', technique: 'T1078' },
    { tactic: 'TA0009', technique: 'T1213' },
  ],
  loudness: 'loud',
  plane: 'aws-api-gateway',
  inject({ company, random, at }) {
    const victim = random.pick(company.partners)
    const address = attackerIn(random.pick(['vnpt', 'swift', 'jio'] as const), random)
    const records = Array.from({ length: 300 }, (_, index) => {
      const probing = index < 6
      const route = probing
        ? (['/v1/customers', '/v1/admin', '/v1/invoices'][index % 3] ?? '/v1')
        : '/v1/orders/{id}'
      const found = random.chance(0.55)
      return gatewayRecord(
        {
          time: at + index * 1500 + random.int(900),
          address,
          apiKeyId: victim.apiKeyId,
          userAgent: 'python-requests/2.31.0',
          method: 'GET',
          route,
          path: probing ? route : `/v1/orders/o-${100_000 + index}`,
          status: probing ? 403 : found ? 200 : 404,
          bytes: probing || !found ? 60 : 1400,
        },
        random,
      )
    })
    return { identity: victim.identity.id, records }
  },
})
