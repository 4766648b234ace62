import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import type { Origin } from './activity.ts'
import {
  type Address,
  addressIn,
  formatAddress,
  isDocumentation,
  prefixOf,
  privateBlockOf,
} from './address.ts'
import { type AutonomousSystem, loadAsnTable } from './asn-table.ts'
import { loadCloudRanges, providerOf } from './cloud-ranges.ts'
import { GeographyError } from './geography-error.ts'
import { countryIn, openPlaceDatabase, type PlaceDatabase, requireIn, systemIn } from './place-database.ts'

/**
 * Where a request came from: what a log calls the origin (an address in any spelling, or the name of a cloud service)
 * becomes an Origin. Files are read once, at start; no look-up touches the network or the disk.
 */
export interface Origins {
  /**
   * The origin that the text names. Synchronous, never throws. Equal texts give the same object while it is cached:
   * treat it as frozen.
   */
  readonly locate: (text: string | undefined) => Origin
}

export interface OriginOptions {
  /** The operator's own databases (mmdb) of cities or countries; each may be of IPv4 or of IPv6 alone. */
  readonly cityDatabase?: string | readonly string[] | undefined
  readonly countryDatabase?: string | readonly string[] | undefined
  /** The operator's own database (mmdb) of autonomous systems. */
  readonly asnDatabase?: string | readonly string[] | undefined
  /** Published cloud ranges: AWS `ip-ranges.json`, Google `cloud.json`, Azure service tags. */
  readonly cloudRanges?: readonly string[] | undefined
}

/** The three questions asked of an address that is not private. */
export interface Geography {
  /** ISO 3166-1 alpha-2, or ''. */
  readonly countryOf: (address: Address) => string
  readonly systemOf: (address: Address) => AutonomousSystem | undefined
  /** `provider[:region][:service]`, or ''. */
  readonly cloudOf: (address: Address) => string
}

/** Nothing is known of where it came from. */
export const UNKNOWN_ORIGIN: Origin = Object.freeze({
  kind: 'unknown',
  address: '',
  prefix: '',
  country: '',
  asn: 0,
  network: '',
})

/** Texts of origins remembered, about 50 MB at most. */
const MOST_CACHED = 100_000
/** A DNS name has at most 253 characters, an address with port and zone fewer than 320. Longer texts are garbage. */
const LONGEST = 320

/**
 * Opens the databases: the operator's own where given, else those of the packages `@ip-location-db/geo-whois-asn-country-mmdb`
 * (country) and `@ip-location-db/asn` (networks). Per family the first file that covers it answers alone, in the order
 * city, country, package: answers of two databases are not mixed, because they disagree at the borders of ranges.
 * Throws `GeographyError` when a file is missing or not what it should be. Takes about 0.4 s with the packages.
 */
export async function openOrigins(options: OriginOptions = {}): Promise<Origins> {
  const [places, systems, cloud] = await Promise.all([
    openPlaces([...listed(options.cityDatabase), ...listed(options.countryDatabase)]),
    openSystems(listed(options.asnDatabase)),
    loadCloudRanges(options.cloudRanges ?? []),
  ])
  return createOrigins({ countryOf: places, systemOf: systems, cloudOf: (address) => cloud.find(address) })
}

/** The look-up itself, over given answers. */
export function createOrigins(geography: Geography): Origins {
  const cache = new Map<string, Origin>()
  return {
    locate(text) {
      if (text === undefined || text === '') return UNKNOWN_ORIGIN
      const known = cache.get(text)
      if (known !== undefined) return known
      if (text.length > LONGEST) return UNKNOWN_ORIGIN
      // A copy: the text may be a slice that keeps its whole log line alive for as long as the cache keeps the text.
      const key = Buffer.from(text, 'utf8').toString('utf8')
      const origin = resolve(key, geography)
      // Emptied when full, so that invented addresses cost time and not memory.
      if (cache.size >= MOST_CACHED) cache.clear()
      cache.set(key, origin)
      return origin
    },
  }
}

function resolve(text: string, geography: Geography): Origin {
  const address = addressIn(text)
  if (address === undefined) {
    const name = serviceIn(text)
    if (name === '') return UNKNOWN_ORIGIN
    return { kind: 'service', address: '', prefix: '', country: '', asn: 0, network: `service:${name}` }
  }
  const canonical = formatAddress(address)
  const prefix = prefixOf(address)
  const block = privateBlockOf(address)
  if (block !== '') {
    return { kind: 'private', address: canonical, prefix, country: '', asn: 0, network: `private:${block}` }
  }
  if (isDocumentation(address)) {
    return { kind: 'public', address: canonical, prefix, country: '', asn: 0, network: '' }
  }
  const system = geography.systemOf(address)
  const asn = system?.asn ?? 0
  const cloud = geography.cloudOf(address) || providerOf(asn)
  if (cloud !== '') return { kind: 'cloud', address: canonical, prefix, country: '', asn, network: cloud }
  const country = geography.countryOf(address)
  return { kind: 'public', address: canonical, prefix, country, asn, network: networkName(system, country) }
}

/** The organisation, so that several systems of one organisation are one network. */
function networkName(system: AutonomousSystem | undefined, country: string): string {
  if (system !== undefined) return system.organisation || `AS${system.asn}`
  return country === '' ? '' : `country:${country}`
}

/**
 * The name of a caller that is no address: a DNS name (`autoscaling.amazonaws.com`), or AWS's own `AWS Internal`. In
 * lower case, because DNS names have none. '' when the text is neither: `-`, `@`, `localhost`, a broken address.
 */
function serviceIn(raw: string): string {
  const text = raw.trim().toLowerCase()
  if (text === 'aws internal' || text === 'aws-internal') return 'AWS Internal'
  if (text.length > 253) return ''
  const labels = text.split('.')
  if (labels.length < 2 || !labels.every((label) => /^[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?$/.test(label)))
    return ''
  // The last label of a DNS name is never a number: this keeps broken addresses (`255.18.064.253`) out.
  return /^[a-z]/.test(labels.at(-1) ?? '') ? text : ''
}

function listed(paths: string | readonly string[] | undefined): readonly string[] {
  return paths === undefined ? [] : typeof paths === 'string' ? [paths] : paths
}

async function openPlaces(own: readonly string[]): Promise<Geography['countryOf']> {
  const databases = await Promise.all(own.map(openPlaceDatabase))
  for (const database of databases) requireIn(database, 'countries', (r) => countryIn(r) !== '')
  if (!covers(databases, 4) || !covers(databases, 6)) {
    const file = packageFile('@ip-location-db/geo-whois-asn-country-mmdb', 'geo-whois-asn-country.mmdb')
    databases.push(await openPlaceDatabase(file))
  }
  const find = finder(databases)
  return (address) => {
    const record = find(address)
    return record === undefined ? '' : countryIn(record)
  }
}

async function openSystems(own: readonly string[]): Promise<Geography['systemOf']> {
  const databases = await Promise.all(own.map(openPlaceDatabase))
  for (const database of databases) requireIn(database, 'networks', (r) => systemIn(r) !== undefined)
  const find = finder(databases)
  const inDatabases = (address: Address): AutonomousSystem | undefined => {
    const record = find(address)
    return record === undefined ? undefined : systemIn(record)
  }
  const own4 = covers(databases, 4)
  const own6 = covers(databases, 6)
  if (own4 && own6) return inDatabases
  const name = '@ip-location-db/asn'
  const table = await loadAsnTable({
    ipv4: packageFile(name, 'asn-ipv4-num.csv'),
    ipv6: packageFile(name, 'asn-ipv6.csv'),
  })
  return (address) => ((address.family === 4 ? own4 : own6) ? inDatabases(address) : table.find(address))
}

const covers = (databases: readonly PlaceDatabase[], family: 4 | 6): boolean =>
  databases.some((database) => database.families.includes(family))

/** Asks the first database that covers the family of the address. */
function finder(databases: readonly PlaceDatabase[]): PlaceDatabase['find'] {
  const four = databases.find((database) => database.families.includes(4))
  const six = databases.find((database) => database.families.includes(6))
  return (address) => (address.family === 4 ? four : six)?.find(address)
}

function packageFile(name: string, file: string): string {
  try {
    return join(dirname(createRequire(import.meta.url).resolve(`${name}/package.json`)), file)
  } catch (error) {
    throw new GeographyError(
      'missing-package',
      name,
      'is not installed, and no file was given instead',
      error,
    )
  }
}
