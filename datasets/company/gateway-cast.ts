import { hashNumbers, hashText, Random, weightedIndex } from '../random.ts'
import { egressChangeDay } from './aws-users.ts'
import { gatewayKeyId } from './canonical-ids.ts'
import type { CastContext } from './cast-context.ts'
import { gatewayLine } from './gateway-record.ts'
import { hostIn, type Network, otherHostIn } from './networks.ts'
import { type Actor, DAY } from './record.ts'
import { callsIn, officeHours, roundTheClock } from './rhythm.ts'

export interface PartnerActor extends Actor {
  readonly apiKeyId: string
  readonly userAgent: string
  readonly network: Network
  readonly addressAt: (time: number, slot: number) => string
}

interface Route {
  readonly method: string
  readonly route: string
  readonly weight: number
  readonly bytes: number
}

const ROUTES: readonly Route[] = [
  { method: 'GET', route: '/v1/orders', weight: 10, bytes: 6200 },
  { method: 'GET', route: '/v1/orders/{id}', weight: 26, bytes: 1400 },
  { method: 'POST', route: '/v1/orders', weight: 8, bytes: 320 },
  { method: 'GET', route: '/v1/products', weight: 8, bytes: 14_000 },
  { method: 'GET', route: '/v1/products/{sku}', weight: 18, bytes: 1100 },
  { method: 'GET', route: '/v1/stock/{sku}', weight: 20, bytes: 240 },
  { method: 'PUT', route: '/v1/orders/{id}/status', weight: 5, bytes: 180 },
]

const PARTNERS: readonly (readonly [name: string, network: Network, offset: number, agent: string])[] = [
  ['parcel-partner', 'telekom', 1, 'okhttp/4.12.0'],
  ['marketplace', 'comcast', -5, 'python-requests/2.32.3'],
  ['wholesale', 'orange', 1, 'Apache-HttpClient/4.5.14 (Java/17.0.13)'],
  ['price-comparison', 'kpn', 1, 'axios/1.7.9'],
  ['returns-agency', 'bt', 0, 'Go-http-client/2.0'],
  ['reseller', 'sunrise', 1, 'GuzzleHttp/7'],
  ['insurance', 'free', 1, 'node-fetch/3.3.2'],
]

/** Partners with API keys: one country and network each, a daily rhythm, slow growth. */
export function castGateway(context: CastContext, count: number): readonly PartnerActor[] {
  return Array.from({ length: count }, (_, index) => {
    const [partner, network, offset, userAgent] = PARTNERS[index % PARTNERS.length] ?? [
      'partner',
      'telekom' as const,
      1,
      'curl',
    ]
    const name = index < PARTNERS.length ? partner : `${partner}-${Math.floor(index / PARTNERS.length) + 1}`
    const seed = hashNumbers(context.seed, hashText(`partner ${name}`))
    const apiKeyId = new Random(seed, 1).letters(10, 'abcdefghijklmnopqrstuvwxyz0123456789')
    const changeDay = egressChangeDay(context, seed)
    // Every partner uses some of the routes only, and only some order goods.
    const routes = ROUTES.filter((_route, i) => i === 1 || hashNumbers(seed, i, 61) % 3 !== 0)
    const draw = weightedIndex(routes.map(({ weight }) => weight))
    const rhythm = index % 3 === 2 ? roundTheClock(38) : officeHours(60, offset)
    const addressAt = (time: number, slot: number): string => {
      const key = hashNumbers(seed, slot)
      return time >= context.start + changeDay * DAY ? otherHostIn(network, key) : hostIn(network, key)
    }
    return {
      identity: {
        id: gatewayKeyId(apiKeyId),
        source: 'aws-api-gateway',
        archetype: 'partner-key',
        name,
        owner: `${name}@synthetic.example`,
        human: false,
        habits: `A partner's API key, from two addresses of one network (${network}), growing by a quarter.`,
      },
      apiKeyId,
      userAgent,
      network,
      addressAt,
      plan(hour, random, note) {
        const growth = 1 + (0.25 * Math.max(0, hour.day)) / Math.max(1, context.days)
        const calls = callsIn(rhythm, hour, random, context.scale * growth)
        for (let piece = 0; piece < calls; piece += 1) {
          note(hour.start + Math.floor(rhythm.place(random, piece, calls)), draw(random), piece)
        }
      },
      write(time, operation, random) {
        const route = routes[operation]
        if (route === undefined) throw new RangeError(`${name} has no route ${operation}`)
        const dice = random.float()
        const templated = route.route.includes('{')
        const status =
          dice < 0.015 && templated ? 404 : dice < 0.02 ? 429 : dice < 0.021 ? 502 : dice < 0.0215 ? 403 : 200
        return gatewayLine(
          {
            time,
            address: addressAt(time, random.int(2)),
            apiKeyId,
            userAgent,
            method: route.method,
            route: route.route,
            path: concrete(route.route, random),
            status,
            bytes: status === 200 ? Math.round(random.logNormal(route.bytes, 0.3)) : 60,
          },
          random,
        )
      },
    }
  })
}

/** A path of the route with its placeholder filled. */
export function concrete(route: string, random: Random): string {
  return route
    .replace('{id}', `o-${100_000 + random.int(800_000)}`)
    .replace('{sku}', `sku-${random.int(5000)}`)
}
