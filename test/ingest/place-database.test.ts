import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { parseAddress } from '../../ingest/address.ts'
import { countryIn, openPlaceDatabase, systemIn } from '../../ingest/place-database.ts'
import { mmdb } from '../support/mmdb.ts'

const folder = mkdtempSync(join(tmpdir(), 'plumbline-mmdb-'))
function file(name: string, bytes: Buffer | string): string {
  const path = join(folder, name)
  writeFileSync(path, bytes)
  return path
}
const at = (text: string) => {
  const address = parseAddress(text)
  if (address === undefined) throw new Error(text)
  return address
}

describe('families', () => {
  it('a tree of IPv4 alone is not asked about IPv6, whose first bits would name a wrong place', async () => {
    const path = file(
      'four',
      mmdb({ type: 'T', ipVersion: 4, records: { '32.0.0.0/8': { country_code: 'US' } } }),
    )
    const database = await openPlaceDatabase(path)
    expect(database.families).toEqual([4])
    expect(database.find(at('32.1.2.3'))).toEqual({ country_code: 'US' })
    expect(database.find(at('2001:db8::1'))).toBeUndefined() // 2001 = 32.1
  })

  it('a tree of IPv6 alone answers for IPv6 only', async () => {
    const path = file(
      'six',
      mmdb({ type: 'T', ipVersion: 6, records: { '2001:db8::/32': { country_code: 'DE' } } }),
    )
    const database = await openPlaceDatabase(path)
    expect(database.families).toEqual([6])
    expect(database.find(at('2001:db8::1'))).toEqual({ country_code: 'DE' })
    expect(database.find(at('192.0.2.1'))).toBeUndefined()
  })

  it('a tree of both answers for both', async () => {
    const records = { '192.0.2.0/24': { country_code: 'FR' }, '2001:db8::/32': { country_code: 'DE' } }
    const database = await openPlaceDatabase(
      file('both', mmdb({ type: 'My-Country', ipVersion: 6, records })),
    )
    expect(database.families).toEqual([4, 6])
    expect(database.find(at('192.0.2.255'))).toEqual({ country_code: 'FR' })
    expect(database.find(at('192.0.3.0'))).toBeUndefined()
    expect(database.find(at('2001:db8::1'))).toEqual({ country_code: 'DE' })
    expect([database.type, database.built]).toEqual(['My-Country', 1_780_000_000_000])
  })
})

describe('broken files', () => {
  it('are refused by code', async () => {
    const path = file('garbage', 'x'.repeat(10_000))
    await expect(openPlaceDatabase(path)).rejects.toMatchObject({ code: 'not-a-database', path })
    await expect(openPlaceDatabase(file('empty', ''))).rejects.toMatchObject({ code: 'not-a-database' })
    await expect(openPlaceDatabase(join(folder, 'missing'))).rejects.toMatchObject({ code: 'unreadable' })
  })
})

describe('records of other producers', () => {
  it.each([
    [{ country: { iso_code: 'DE' }, registered_country: { iso_code: 'US' } }, 'DE'],
    [{ registered_country: { iso_code: 'US' } }, 'US'],
    [{ country_code: 'fr' }, 'FR'],
    [{ country: 'JP', asn: 'AS1' }, 'JP'],
    [{ country: { iso_code: 7 } }, ''],
    [{ country_code: 'Atlantis' }, ''],
    [{}, ''],
  ])('country of %j is %j', (record, country) => expect(countryIn(record)).toBe(country))

  it.each([
    [
      { autonomous_system_number: 15169, autonomous_system_organization: 'GOOGLE' },
      { asn: 15169, organisation: 'GOOGLE' },
    ],
    [
      { asn: 'AS15169', as_name: 'Google LLC' },
      { asn: 15169, organisation: 'Google LLC' },
    ],
    [{ autonomous_system_number: 64500 }, { asn: 64500, organisation: '' }],
    [{ autonomous_system_number: -1 }, undefined],
    [{ asn: '15169' }, undefined],
    [{ country_code: 'DE' }, undefined],
  ])('system of %j is %j', (record, system) => expect(systemIn(record)).toEqual(system))
})
