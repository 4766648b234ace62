import { readFile } from 'node:fs/promises'
import { Reader, type Response } from 'maxmind'
import { type Address, formatAddress, parseAddress } from './address.ts'
import { type AutonomousSystem, organisationName } from './asn-table.ts'
import { GeographyError } from './geography-error.ts'
import { isJsonObject, objectAt, textAt } from './json-values.ts'
import type { JsonObject } from './source.ts'

/** Databases in MaxMind's format (mmdb): the only file that knows the package `maxmind`. */
export interface PlaceDatabase {
  readonly path: string
  /** What the file calls itself: `GeoLite2-City`, `country ipv4`. */
  readonly type: string
  /** When it was built, epoch milliseconds. */
  readonly built: number
  /**
   * Families that the file can answer for. A file of IPv4 alone answers IPv6 questions with the wrong place (it walks its
   * tree with the first 32 bits), and a file of IPv6 alone knows no IPv4, so nobody may ask it: see `find`.
   */
  readonly families: readonly (4 | 6)[]
  /** The record of the address; undefined when there is none, or when the file is not for that family. */
  readonly find: (address: Address) => JsonObject | undefined
}

/** Asked when a file is opened, to see what its records hold. */
const PROBES = ['1.1.1.1', '8.8.8.8', '9.9.9.9', '52.95.110.1', '193.0.6.139', '200.3.14.10', '196.216.2.1']
const PROBES_6 = ['2001:4860:4860::8888', '2606:4700:4700::1111', '2001:67c:2e8:22::c100:68b', '2a05:d018::1']

/** Opens an mmdb file. Throws `GeographyError` (`unreadable`, `not-a-database`). */
export async function openPlaceDatabase(path: string): Promise<PlaceDatabase> {
  const bytes = await readFile(path).catch((error: unknown) => {
    throw new GeographyError('unreadable', path, 'cannot be read', error)
  })
  let reader: Reader<Response>
  let hasIpv4: boolean
  try {
    reader = new Reader<Response>(bytes)
    // In a tree of IPv6 alone the way to ::/96, where IPv4 lives, ends before an IPv4 question takes its first step.
    hasIpv4 = PROBES.some((address) => reader.getWithPrefixLength(address)[1] > 0)
  } catch (error) {
    throw new GeographyError('not-a-database', path, 'is no MaxMind database (mmdb)', error)
  }
  const { ipVersion, databaseType, buildEpoch } = reader.metadata
  const families: readonly (4 | 6)[] = ipVersion === 4 ? [4] : hasIpv4 ? [4, 6] : [6]
  return {
    path,
    type: databaseType,
    built: buildEpoch.getTime(),
    families,
    find(address) {
      if (!families.includes(address.family)) return undefined
      try {
        const record: unknown = reader.get(formatAddress(address))
        return isJsonObject(record) ? record : undefined
      } catch {
        // A damaged record makes one address unknown; it must not stop the stream.
        return undefined
      }
    },
  }
}

/**
 * Refuses a file whose records of well-known addresses all lack what it was opened for (a file of networks given as file
 * of countries): every place would read as unknown, and nobody would notice. A file without any of them passes.
 */
export function requireIn(database: PlaceDatabase, what: string, has: (record: JsonObject) => boolean): void {
  let records = 0
  for (const text of [...PROBES, ...PROBES_6]) {
    const address = parseAddress(text)
    const record = address === undefined ? undefined : database.find(address)
    if (record === undefined) continue
    if (has(record)) return
    records++
  }
  if (records > 0) {
    throw new GeographyError(
      'wrong-database',
      database.path,
      `is a ${database.type} database without ${what}`,
    )
  }
}

/**
 * ISO 3166-1 alpha-2 code in a record of MaxMind, DB-IP (`country.iso_code`), ip-location-db (`country_code`) or IPinfo
 * (`country`); where the place is unknown the country that registered the address; '' when there is neither.
 */
export function countryIn(record: JsonObject): string {
  const code =
    textAt(objectAt(record, 'country'), 'iso_code') ||
    textAt(record, 'country_code') ||
    textAt(record, 'country') ||
    textAt(objectAt(record, 'registered_country'), 'iso_code')
  return /^[A-Za-z]{2}$/.test(code) ? code.toUpperCase() : ''
}

/** Autonomous system in a record of MaxMind, DB-IP and ip-location-db, or of IPinfo (`asn: "AS15169"`, `as_name`). */
export function systemIn(record: JsonObject): AutonomousSystem | undefined {
  const { autonomous_system_number: number, asn: text } = record
  const asn =
    typeof number === 'number'
      ? number
      : typeof text === 'string' && /^AS\d{1,10}$/.test(text)
        ? Number(text.slice(2))
        : 0
  if (!Number.isInteger(asn) || asn <= 0 || asn > 0xffff_ffff) return undefined
  const name =
    textAt(record, 'autonomous_system_organization') || textAt(record, 'as_name') || textAt(record, 'name')
  return { asn, organisation: organisationName(name) }
}
