import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import fc from 'fast-check'
import { beforeAll, describe, expect, it } from 'vitest'
import { contains, parseAddress, parseBlock } from '../../ingest/address.ts'
import { cloudSystems } from '../../ingest/cloud-ranges.ts'
import { createOrigins, type Origins, openOrigins, UNKNOWN_ORIGIN } from '../../ingest/origin.ts'
import { mmdb } from '../support/mmdb.ts'

const require = createRequire(import.meta.url)
const inPackage = (name: string, file: string): string =>
  join(dirname(require.resolve(`${name}/package.json`)), file)
const country = (file: string): string => inPackage('@ip-location-db/geo-whois-asn-country-mmdb', file)
const folder = mkdtempSync(join(tmpdir(), 'plumbline-origin-'))
function file(name: string, bytes: Buffer | string): string {
  const path = join(folder, name)
  writeFileSync(path, bytes)
  return path
}

let origins: Origins
beforeAll(async () => {
  origins = await openOrigins()
})

describe('public addresses (data of the packages)', () => {
  it.each([
    ['8.8.8.8', 'US', 15169, 'Google LLC', '8.8.8.0/24'],
    ['2001:4860:4860::8888', 'US', 15169, 'Google LLC', '2001:4860:4860::/48'],
    [
      '193.0.6.139',
      'NL',
      3333,
      'Reseaux IP Europeens Network Coordination Centre (RIPE NCC)',
      '193.0.6.0/24',
    ],
    [
      '2001:67c:2e8:22::c100:68b',
      'NL',
      3333,
      'Reseaux IP Europeens Network Coordination Centre (RIPE NCC)',
      '2001:67c:2e8::/48',
    ],
  ])('%s', (address, place, asn, network, prefix) => {
    expect(origins.locate(address)).toEqual({ kind: 'public', address, prefix, country: place, asn, network })
  })

  it('of a cloud have a provider and no country', () => {
    const ec2 = { kind: 'cloud', country: '', network: 'aws' }
    expect(origins.locate('54.200.0.1')).toMatchObject({ ...ec2, asn: 16509, prefix: '54.200.0.0/24' })
    expect(origins.locate('2600:1f14::1')).toMatchObject({ ...ec2, asn: 16509, prefix: '2600:1f14::/48' })
    expect(origins.locate('20.42.1.1')).toMatchObject({ kind: 'cloud', country: '', network: 'azure' })
    expect(origins.locate('34.82.10.1')).toMatchObject({ kind: 'cloud', country: '', network: 'gcp' })
  })

  it.each(['192.0.2.1', '198.51.100.1', '203.0.113.1', '2001:db8::1', '3fff::1', '250.1.2.3'])(
    '%s belongs to nobody: public, without country or network',
    (address) => {
      expect(origins.locate(address)).toMatchObject({
        kind: 'public',
        address,
        country: '',
        asn: 0,
        network: '',
      })
    },
  )
})

describe('private addresses', () => {
  it.each([
    ['10.1.2.3', 'private:10.0.0.0/8', '10.1.2.0/24'],
    ['172.31.0.9:443', 'private:172.16.0.0/12', '172.31.0.0/24'],
    ['192.168.1.1', 'private:192.168.0.0/16', '192.168.1.0/24'],
    ['100.64.0.1', 'private:100.64.0.0/10', '100.64.0.0/24'],
    ['127.0.0.1', 'private:127.0.0.0/8', '127.0.0.0/24'],
    ['169.254.169.254', 'private:169.254.0.0/16', '169.254.169.0/24'],
    ['[::1]:8200', 'private:::1/128', '::/48'],
    ['FD00:1:2:3::4', 'private:fc00::/7', 'fd00:1:2::/48'],
    ['fe80::1%eth0', 'private:fe80::/10', 'fe80::/48'],
    ['::ffff:10.1.2.3', 'private:10.0.0.0/8', '10.1.2.0/24'],
  ])('%s is %s', (text, network, prefix) => {
    expect(origins.locate(text)).toMatchObject({ kind: 'private', network, prefix, country: '', asn: 0 })
  })
})

describe('what is no address', () => {
  it.each([
    ['autoscaling.amazonaws.com', 'service:autoscaling.amazonaws.com'],
    ['Lambda.AmazonAWS.com', 'service:lambda.amazonaws.com'],
    ['AWS Internal', 'service:AWS Internal'],
    ['build-7.ci.example', 'service:build-7.ci.example'],
  ])('%s is a service', (text, network) => {
    expect(origins.locate(text)).toEqual({
      kind: 'service',
      address: '',
      prefix: '',
      country: '',
      asn: 0,
      network,
    })
  })

  it.each([
    undefined,
    '',
    '-',
    '@',
    'unknown',
    'localhost',
    '255.18.064.253',
    '1.2.3.4.5',
    'a..b',
    '-a.example',
    'a b.example',
    '<script>.example',
    `${'a'.repeat(64)}.example`,
    'a.'.repeat(200),
    'x'.repeat(1_000_000),
  ])('%j is unknown', (text) => expect(origins.locate(text)).toEqual(UNKNOWN_ORIGIN))
})

describe('whatever the text', () => {
  it('every address has a prefix that contains it, and spellings of one address are one origin', () => {
    fc.assert(
      fc.property(fc.oneof(fc.ipV4(), fc.ipV6()), (text) => {
        const origin = origins.locate(text)
        const address = parseAddress(origin.address)
        const block = parseBlock(origin.prefix)
        expect(address !== undefined && block !== undefined && contains(block, address)).toBe(true)
        const other = text.includes(':') ? `[${text.toUpperCase()}]:443` : `::ffff:${text}`
        expect(origins.locate(other)).toEqual(origin)
      }),
      { numRuns: 2000 },
    )
  })

  it('an origin comes back, and only a public one has a country', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 400 }), (text) => {
        const origin = origins.locate(text)
        expect(origin.kind === 'public' || origin.country === '').toBe(true)
      }),
    )
  })
})

describe('order of knowledge', () => {
  const geography = {
    countryOf: () => 'DE',
    systemOf: () => ({ asn: 3320, organisation: 'Deutsche Telekom AG' }),
    cloudOf: () => '',
  }

  it('private before cloud, published ranges before the autonomous system, cloud before country', () => {
    const cloud = createOrigins({
      ...geography,
      systemOf: () => ({ asn: 16509, organisation: 'Amazon.com, Inc.' }),
      cloudOf: () => 'aws:eu-west-1:ec2',
    })
    expect(cloud.locate('10.0.0.1')).toMatchObject({ kind: 'private', asn: 0 })
    expect(cloud.locate('25.0.2.1')).toMatchObject({
      kind: 'cloud',
      asn: 16509,
      network: 'aws:eu-west-1:ec2',
      country: '',
    })
  })

  it('names the network by organisation, else by number, else by country, else not at all', () => {
    const network = (changes: Partial<typeof geography | { systemOf: () => undefined }>): string =>
      createOrigins({ ...geography, ...changes }).locate('25.0.2.1').network
    expect(network({})).toBe('Deutsche Telekom AG')
    expect(network({ systemOf: () => ({ asn: 64500, organisation: '' }) })).toBe('AS64500')
    expect(network({ systemOf: () => undefined })).toBe('country:DE')
    expect(network({ systemOf: () => undefined, countryOf: () => '' })).toBe('')
  })

  it('asks once per text, and goes on answering when more texts come than it remembers', () => {
    let asked = 0
    const counting = createOrigins({
      ...geography,
      countryOf: () => {
        asked++
        return 'DE'
      },
    })
    for (let n = 0; n < 3; n++) counting.locate('25.0.2.1')
    expect(asked).toBe(1)
    for (let n = 0; n < 100_000; n++) counting.locate(`11.${n >> 16}.${(n >> 8) & 255}.${n & 255}`)
    expect(counting.locate('25.0.2.1').country).toBe('DE')
    expect(asked).toBe(100_002) // forgotten, asked again, not grown without bound
  })
})

describe("the operator's own files", () => {
  it('of IPv4 alone answer for IPv4, and the package for IPv6', async () => {
    const own = await openOrigins({ countryDatabase: country('geo-whois-asn-country-ipv4.mmdb') })
    expect(own.locate('193.0.6.139').country).toBe('NL')
    // Asked of the file of IPv4, this would be 32.1.6.124 in the United States.
    expect(own.locate('2001:67c:2e8:22::c100:68b').country).toBe('NL')
  })

  it('of IPv6 alone answer for IPv6, and the package for IPv4', async () => {
    const own = await openOrigins({ countryDatabase: country('geo-whois-asn-country-ipv6.mmdb') })
    expect(own.locate('193.0.6.139').country).toBe('NL')
    expect(own.locate('2001:67c:2e8:22::c100:68b').country).toBe('NL')
  })

  it('answer alone for their family: cities before countries, before the package', async () => {
    const city = { country: { iso_code: 'AT' }, city: { names: { en: 'Wien' } } }
    const own = await openOrigins({
      cityDatabase: [
        file('city4', mmdb({ type: 'City', ipVersion: 4, records: { '25.0.2.0/24': city } })),
        file('city6', mmdb({ type: 'City', ipVersion: 6, records: { '2a01:db8::/32': city } })),
      ],
      countryDatabase: country('geo-whois-asn-country.mmdb'),
      asnDatabase: file(
        'asn',
        mmdb({
          type: 'GeoLite2-ASN',
          ipVersion: 4,
          records: {
            '25.0.2.0/25': {
              autonomous_system_number: 64500,
              autonomous_system_organization: 'AS64500 Our Own',
            },
            '25.0.2.128/25': {
              autonomous_system_number: 16509,
              autonomous_system_organization: 'AMAZON-02',
            },
          },
        }),
      ),
    })
    expect(own.locate('25.0.2.1')).toMatchObject({ country: 'AT', asn: 64500, network: 'Our Own' })
    expect(own.locate('25.0.2.129')).toMatchObject({
      kind: 'cloud',
      country: '',
      asn: 16509,
      network: 'aws',
    })
    expect(own.locate('193.0.6.139')).toMatchObject({ country: '', asn: 0, network: '' })
    expect(own.locate('2a01:db8::1')).toMatchObject({ country: 'AT', asn: 0, network: 'country:AT' })
    expect(own.locate('2001:4860:4860::8888')).toMatchObject({
      country: '',
      asn: 15169,
      network: 'Google LLC',
    })
  })

  it('of cloud ranges refine the provider to region and service', async () => {
    const ranges = {
      syncToken: '1',
      prefixes: [{ ip_prefix: '54.200.0.0/15', region: 'us-west-2', service: 'EC2' }],
    }
    const own = await openOrigins({ cloudRanges: [file('ip-ranges.json', JSON.stringify(ranges))] })
    expect(own.locate('54.200.0.1')).toMatchObject({
      kind: 'cloud',
      network: 'aws:us-west-2:ec2',
      asn: 16509,
    })
    expect(own.locate('54.202.0.1')).toMatchObject({ kind: 'cloud', network: 'aws' })
  })

  it('of the wrong content are refused at start', async () => {
    const path = country('geo-whois-asn-country.mmdb')
    await expect(openOrigins({ asnDatabase: path })).rejects.toMatchObject({ code: 'wrong-database', path })
    const record = { autonomous_system_number: 15169, autonomous_system_organization: 'GOOGLE' }
    const asn = file('asn-as-city', mmdb({ type: 'ASN', ipVersion: 4, records: { '8.8.8.0/24': record } }))
    await expect(openOrigins({ cityDatabase: asn })).rejects.toMatchObject({ code: 'wrong-database' })
    await expect(openOrigins({ countryDatabase: file('no', 'no') })).rejects.toMatchObject({
      code: 'not-a-database',
    })
  })
})

describe('table of cloud systems', () => {
  const words: Readonly<Record<string, RegExp>> = {
    alibaba: /Alibaba/,
    aws: /Amazon|Beijing Guanghuan|Ningxia West/,
    azure: /Microsoft|Shanghai Blue Cloud/,
    digitalocean: /DigitalOcean/,
    exoscale: /Akenes/,
    fly: /Fly\.io/,
    gcp: /Google/,
    hetzner: /Hetzner/,
    huawei: /Huawei/i,
    ibm: /IBM Cloud/,
    linode: /Linode|Akamai/,
    oci: /Oracle/,
    ovh: /OVH/,
    scaleway: /Scaleway/i,
    tencent: /Tencent/,
    upcloud: /UpCloud/,
    volcengine: /Volcano Engine/,
    vultr: /Constant Company/,
    yandex: /Yandex/,
  }

  it('names only systems of that provider, by the organisations in the data', () => {
    const organisations = new Map<number, string>()
    const csv = readFileSync(inPackage('@ip-location-db/asn', 'asn-ipv4-num.csv'), 'utf8')
    for (const [, asn, organisation] of csv.matchAll(/^\d+,\d+,(\d+),(.*)$/gm)) {
      organisations.set(Number(asn), organisation ?? '')
    }
    for (const [asn, provider] of cloudSystems()) {
      expect.soft(`${asn} ${organisations.get(asn) ?? '(not announced)'}`).toMatch(words[provider] ?? /^$/)
    }
  })
})
