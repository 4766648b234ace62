import { describe, expect, it } from 'vitest'
import { parseAddress } from '../../ingest/address.ts'
import {
  type CloudRanges,
  cloudSystems,
  indexCloudRanges,
  loadCloudRanges,
  parseCloudRanges,
  providerOf,
} from '../../ingest/cloud-ranges.ts'

const AWS = JSON.stringify({
  syncToken: '1',
  createDate: '2026-01-01-00-00-00',
  prefixes: [
    {
      ip_prefix: '203.0.113.0/24',
      region: 'eu-west-1',
      service: 'AMAZON',
      network_border_group: 'eu-west-1',
    },
    { ip_prefix: '203.0.113.0/24', region: 'eu-west-1', service: 'EC2', network_border_group: 'eu-west-1' },
    {
      ip_prefix: '203.0.113.64/29',
      region: 'eu-west-1',
      service: 'EC2_INSTANCE_CONNECT',
      network_border_group: 'x',
    },
    {
      ip_prefix: '198.51.100.0/24',
      region: 'us-east-1',
      service: 'AMAZON',
      network_border_group: 'us-east-1',
    },
  ],
  ipv6_prefixes: [
    { ipv6_prefix: '2001:db8:a::/48', region: 'eu-west-1', service: 'EC2', network_border_group: 'x' },
  ],
})
const GOOGLE = JSON.stringify({
  syncToken: '1',
  creationTime: '2026-01-01T00:00:00.000000',
  prefixes: [
    { ipv4Prefix: '192.0.2.0/25', service: 'Google Cloud', scope: 'europe-west1' },
    { ipv6Prefix: '2001:db8:b::/48', service: 'Google Cloud', scope: 'global' },
  ],
})
const AZURE = JSON.stringify({
  changeNumber: 1,
  cloud: 'Public',
  values: [
    {
      name: 'AzureCloud',
      id: 'AzureCloud',
      properties: { region: '', systemService: '', addressPrefixes: ['192.0.2.128/26'] },
    },
    {
      name: 'Storage.WestEurope',
      id: 'Storage.WestEurope',
      properties: {
        region: 'westeurope',
        systemService: 'AzureStorage',
        addressPrefixes: ['192.0.2.128/26'],
      },
    },
  ],
})

const find = (ranges: CloudRanges, text: string): string => {
  const address = parseAddress(text)
  return address === undefined ? '(no address)' : ranges.find(address)
}

describe('published ranges', () => {
  const entries = [AWS, GOOGLE, AZURE].flatMap((text) => parseCloudRanges(text, 'a file'))

  it.each([
    ['203.0.113.1', 'aws:eu-west-1:ec2'],
    ['203.0.113.65', 'aws:eu-west-1:ec2_instance_connect'],
    ['203.0.113.72', 'aws:eu-west-1:ec2'],
    ['198.51.100.9', 'aws:us-east-1'],
    ['2001:db8:a:ffff::1', 'aws:eu-west-1:ec2'],
    ['2001:db8:b::1', 'gcp:global'],
    ['192.0.2.127', 'gcp:europe-west1'],
    ['192.0.2.128', 'azure:westeurope:azurestorage'],
    ['192.0.2.192', ''],
    ['8.8.8.8', ''],
    ['2001:db8:c::', ''],
  ])('%s is %j, whatever the order of entries', (address, network) => {
    expect(find(indexCloudRanges(entries), address)).toBe(network)
    expect(find(indexCloudRanges([...entries].reverse()), address)).toBe(network)
  })

  it.each([
    ['{', 'not JSON'],
    ['[]', 'none of'],
    ['{"prefixes":"x"}', 'none of'],
    ['{"syncToken":"1","prefixes":[{"ip_prefix":"nonsense","region":"r","service":"EC2"}]}', 'nonsense'],
    ['{"prefixes":[{"scope":"x"}]}', 'block that is none'],
  ])('refuses %s', (text, why) => {
    expect(() => parseCloudRanges(text, '/etc/ranges.json')).toThrow(
      expect.objectContaining({
        code: 'not-cloud-ranges',
        path: '/etc/ranges.json',
        message: expect.stringContaining(why),
      }),
    )
  })

  it('reads no file as no ranges, and refuses a missing one', async () => {
    expect((await loadCloudRanges([])).blocks).toBe(0)
    await expect(loadCloudRanges(['/nowhere/ranges.json'])).rejects.toMatchObject({ code: 'unreadable' })
  })
})

describe('autonomous systems of clouds', () => {
  it('name the provider, and leave content networks and mere hosting alone', () => {
    expect([16509, 14618, 8075, 396982, 63949].map(providerOf)).toEqual([
      'aws',
      'aws',
      'azure',
      'gcp',
      'linode',
    ])
    expect([15169, 13335, 20940, 3320, 0].map(providerOf)).toEqual(['', '', '', '', ''])
  })

  it('list each system once', () => {
    const numbers = [...cloudSystems()].map(([asn]) => asn)
    expect(new Set(numbers).size).toBe(numbers.length)
  })
})
