import { hashNumbers, hashText } from '../random.ts'
import type { AwsOperation } from './aws-operations.ts'
import { DAY, HOUR } from './record.ts'
import type { Rhythm } from './rhythm.ts'

/** What everybody in the company shares. */
export interface CastContext {
  readonly seed: number
  /** Epoch ms. */
  readonly start: number
  readonly days: number
  /** Factor on every rate. */
  readonly scale: number
  /** Tenant that the logs are read with, for ids whose record names none. */
  readonly tenant: string
  /** Name of the n-th service; numbered when the list is used up. */
  readonly serviceName: (index: number) => string
  readonly ownerOf: (name: string) => string
  /** Moment of the week at which the named workload is deployed, ms from the start of the company's week. */
  readonly deployment: (name: string) => number
  /** The options that every AWS actor takes from here. */
  readonly common: (
    seed: number,
    workload: string,
    operations: readonly AwsOperation[],
    rhythm: Rhythm,
  ) => {
    readonly workload: string
    readonly operations: readonly AwsOperation[]
    readonly rhythm: Rhythm
    readonly scale: number
    readonly companyStart: number
    readonly deployment: number
  }
}

const SERVICES = [
  'orders',
  'checkout',
  'search',
  'catalog',
  'pricing',
  'inventory',
  'shipping',
  'media',
  'reviews',
  'accounts',
  'invoices',
  'returns',
  'loyalty',
  'fraud',
  'ledger',
  'notifications',
] as const
const TEAMS = ['storefront', 'payments', 'logistics', 'data', 'platform'] as const

export function createCastContext(options: {
  readonly seed: number
  readonly start: number
  readonly days: number
  readonly scale: number
  readonly tenant: string
}): CastContext {
  const { seed, start, scale } = options
  const deployment = (name: string): number => {
    const key = hashNumbers(seed, hashText(name), 5)
    // Deployments fall on working days between 08:00 and 16:00 UTC.
    const firstMonday = (8 - new Date(start).getUTCDay()) % 7
    const sinceMidnight = start % DAY
    return ((firstMonday + (key % 5)) % 7) * DAY + (8 + ((key >>> 8) % 8)) * HOUR - sinceMidnight
  }
  return {
    ...options,
    serviceName: (index) => {
      const name = SERVICES[index % SERVICES.length] ?? SERVICES[0]
      return index < SERVICES.length ? name : `${name}-${Math.floor(index / SERVICES.length) + 1}`
    },
    ownerOf: (name) => `team-${TEAMS[hashText(name) % TEAMS.length] ?? TEAMS[0]}@synthetic.example`,
    deployment,
    common: (_seed, workload, operations, rhythm) => ({
      workload,
      operations,
      rhythm,
      scale,
      companyStart: start,
      deployment: deployment(workload),
    }),
  }
}
