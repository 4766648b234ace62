import { readFile } from 'node:fs/promises'
import { z } from 'zod'
import { type Address, parseBlock, truncate } from './address.ts'
import { GeographyError } from './geography-error.ts'

/**
 * Which addresses belong to a cloud. A cloud's address says nothing of a country (anybody rents it from anywhere), so
 * the cloud, and where known its region and service, is the place: `aws`, `aws:eu-west-1`, `aws:eu-west-1:ec2`.
 *
 * Without further files the provider is told by the autonomous system. The ranges that the providers publish (AWS
 * `ip-ranges.json`, Google `cloud.json`, Azure service tags) add region and service; the operator supplies them, because
 * they change every week.
 */

/**
 * Autonomous systems whose addresses are rented by the hour. Not here: plain hosting, VPN and content networks, whose
 * addresses keep their country, and a provider's own services (AS15169 is Google Search and DNS; its cloud is AS396982).
 */
const SYSTEMS: Readonly<Record<string, readonly number[]>> = {
  alibaba: [37963, 45102, 134963],
  aws: [7224, 8987, 14618, 16509, 55960, 135629], // the last two are run by partners: Beijing, Ningxia
  azure: [8068, 8069, 8070, 8075, 12076, 58593, 58862, 200517], // 58593: China, run by a partner
  digitalocean: [14061, 46652, 393406],
  exoscale: [61098],
  fly: [40509],
  gcp: [396982, 214609, 214611],
  hetzner: [24940, 212317, 213230, 215859],
  huawei: [55990, 136907],
  ibm: [36351],
  linode: [48337, 63949],
  oci: [31898],
  ovh: [16276, 35540],
  scaleway: [12876, 29447, 54265, 202023],
  tencent: [45090, 132203, 133478],
  upcloud: [25697, 202053],
  volcengine: [137718],
  vultr: [20473],
  yandex: [200350, 210656, 215013],
}

const PROVIDERS: ReadonlyMap<number, string> = new Map(
  Object.entries(SYSTEMS).flatMap(([provider, systems]) => systems.map((asn) => [asn, provider] as const)),
)

/** Numbers of the systems that are clouds, with the provider's short name. */
export const cloudSystems = (): IterableIterator<[number, string]> => PROVIDERS.entries()

/** Short name of the cloud that the autonomous system belongs to, '' when it is none. */
export function providerOf(asn: number): string {
  return PROVIDERS.get(asn) ?? ''
}

export interface CloudRanges {
  /** Number of blocks. */
  readonly blocks: number
  /** `provider[:region][:service]` of the longest block that holds the address; '' when none does. */
  readonly find: (address: Address) => string
}

/** A published block and what it is. */
export interface CloudBlock {
  readonly block: string
  readonly network: string
}

/**
 * Reads files of published cloud ranges, of any mix of the known formats. Throws `GeographyError` (`unreadable`,
 * `not-cloud-ranges`).
 */
export async function loadCloudRanges(paths: readonly string[]): Promise<CloudRanges> {
  const lists = await Promise.all(
    paths.map(async (path) => {
      const text = await readFile(path, 'utf8').catch((error: unknown) => {
        throw new GeographyError('unreadable', path, 'cannot be read', error)
      })
      return parseCloudRanges(text, path)
    }),
  )
  return indexCloudRanges(lists.flat())
}

const shortText = z.string().max(128)
const aws = z
  .object({
    syncToken: z.string(),
    prefixes: z.array(z.object({ ip_prefix: shortText, region: shortText, service: shortText })),
    ipv6_prefixes: z
      .array(z.object({ ipv6_prefix: shortText, region: shortText, service: shortText }))
      .default([]),
  })
  .transform(({ prefixes, ipv6_prefixes }) => [
    ...prefixes.map((p) => entry(p.ip_prefix, 'aws', p.region, p.service === 'AMAZON' ? '' : p.service)),
    ...ipv6_prefixes.map((p) =>
      entry(p.ipv6_prefix, 'aws', p.region, p.service === 'AMAZON' ? '' : p.service),
    ),
  ])
const google = z
  .object({
    prefixes: z.array(
      z.object({
        ipv4Prefix: shortText.optional(),
        ipv6Prefix: shortText.optional(),
        scope: shortText.default(''),
      }),
    ),
  })
  .transform(({ prefixes }) =>
    prefixes.map((p) => entry(p.ipv4Prefix ?? p.ipv6Prefix ?? '', 'gcp', p.scope, '')),
  )
const azure = z
  .object({
    cloud: z.string(),
    values: z.array(
      z.object({
        properties: z.object({
          region: shortText.default(''),
          systemService: shortText.default(''),
          addressPrefixes: z.array(shortText),
        }),
      }),
    ),
  })
  .transform(({ values }) =>
    values.flatMap(({ properties: { region, systemService, addressPrefixes } }) =>
      addressPrefixes.map((prefix) => entry(prefix, 'azure', region, systemService)),
    ),
  )
const published = z.union([aws, azure, google])

/** The blocks of one published file, told by its shape. Throws `GeographyError` (`not-cloud-ranges`). */
export function parseCloudRanges(text: string, path: string): readonly CloudBlock[] {
  const refuse = (why: string, cause?: unknown): never => {
    throw new GeographyError('not-cloud-ranges', path, why, cause)
  }
  let json: unknown
  try {
    json = JSON.parse(text)
  } catch (error) {
    return refuse('is not JSON', error)
  }
  const parsed = published.safeParse(json)
  if (!parsed.success) return refuse('is none of: AWS ip-ranges.json, Google cloud.json, Azure service tags')
  const bad = parsed.data.find(({ block }) => parseBlock(block) === undefined)
  if (bad !== undefined) return refuse(`holds a block that is none: ${bad.block}`)
  return parsed.data
}

function entry(block: string, provider: string, region: string, service: string): CloudBlock {
  return { block, network: [provider, region, service].filter(Boolean).join(':').toLowerCase() }
}

/** Look-up of the longest block that holds an address. */
export function indexCloudRanges(list: readonly CloudBlock[]): CloudRanges {
  const blocks = new Map<string, string>()
  const lengths = { 4: new Set<number>(), 6: new Set<number>() }
  for (const { block, network } of list) {
    const parsed = parseBlock(block)
    if (parsed === undefined) continue
    const key = keyOf(parsed.address, parsed.length)
    const present = blocks.get(key)
    // One block is listed once per service: the most telling entry wins, then the first by name, so that the order of
    // entries and files changes nothing.
    if (present === undefined || compareTelling(network, present) < 0) blocks.set(key, network)
    lengths[parsed.address.family].add(parsed.length)
  }
  const longestFirst = {
    4: [...lengths[4]].sort((a, b) => b - a),
    6: [...lengths[6]].sort((a, b) => b - a),
  }
  return {
    blocks: blocks.size,
    find(address) {
      for (const length of longestFirst[address.family]) {
        const network = blocks.get(keyOf(truncate(address, length), length))
        if (network !== undefined) return network
      }
      return ''
    },
  }
}

function keyOf({ family, w0, w1, w2, w3 }: Address, length: number): string {
  return family === 4 ? `${w0}/${length}` : `${w0}:${w1}:${w2}:${w3}/${length}`
}

function compareTelling(a: string, b: string): number {
  const parts = b.split(':').length - a.split(':').length
  return parts !== 0 ? parts : a < b ? -1 : a > b ? 1 : 0
}
