import { isIPv4, isIPv6 } from 'node:net'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  addressIn,
  contains,
  formatAddress,
  isDocumentation,
  parseAddress,
  parseBlock,
  prefixOf,
  privateBlockOf,
} from '../../ingest/address.ts'

const canonical = (text: string): string => {
  const address = addressIn(text)
  return address === undefined ? '(none)' : formatAddress(address)
}

/** Text that is nearly an address: where parsers disagree. */
const nearlyAddress = fc
  .array(
    fc.constantFrom(
      '0',
      '1',
      '25',
      '255',
      '256',
      'ffff',
      'F',
      '::',
      ':',
      '.',
      '00',
      'g',
      '1.2.3.4',
      '%e',
      ' ',
    ),
    {
      maxLength: 14,
    },
  )
  .map((parts) => parts.join(''))

describe('reading', () => {
  it.each([
    ['10.0.0.1', '10.0.0.1'],
    ['10.0.0.1:8080', '10.0.0.1'],
    [' 10.0.0.1 ', '10.0.0.1'],
    ['[10.0.0.1]:80', '10.0.0.1'],
    ['::ffff:10.0.0.1', '10.0.0.1'],
    ['::FFFF:a00:1', '10.0.0.1'],
    ['[::ffff:10.0.0.1]:443', '10.0.0.1'],
    ['2001:DB8:0:0:1:0:0:1', '2001:db8::1:0:0:1'],
    ['2001:0db8:0000:0000:0000:0000:0000:0001', '2001:db8::1'],
    ['[2001:db8::1]:443', '2001:db8::1'],
    ['[2001:db8::1]', '2001:db8::1'],
    ['2001:db8::1:443', '2001:db8::1:443'],
    ['fe80::1%eth0', 'fe80::1'],
    ['[fe80::1%25eth0]:22', 'fe80::1'],
    ['64:ff9b::192.0.2.33', '64:ff9b::c000:221'],
    ['1:0:2:3:4:5:6:7', '1:0:2:3:4:5:6:7'],
    ['1:2:3:4:5:6:7::', '1:2:3:4:5:6:7:0'],
    ['::', '::'],
    ['::1', '::1'],
    ['1::', '1::'],
    ['255.255.255.255', '255.255.255.255'],
  ])('%s is %s', (text, expected) => expect(canonical(text)).toBe(expected))

  it.each([
    '',
    '-',
    '10.0.0',
    '10.0.0.1.2',
    '10.0.0.256',
    '010.0.0.1',
    '10.0.0.1:',
    '10.0.0.1:port',
    '10.0.0.1:123456',
    '10.0.0.1:80:90',
    '10.0.0.1/8',
    '[2001:db8::1',
    '[2001:db8::1]443',
    '[]',
    ':',
    ':::',
    ':1::2',
    '1::2::3',
    '12345::1',
    '1:2:3:4:5:6:7:8:9',
    '1:2:3:4:5:6:7:8::',
    '1:2:3:4:5:6:7:1.2.3.4',
    '2001:db8::1:',
    'autoscaling.amazonaws.com',
    '１.2.3.4',
    `1${'0'.repeat(100_000)}`,
  ])('%j is no address', (text) => expect(addressIn(text)).toBeUndefined())

  it('accepts exactly what Node accepts, over generated near misses', () => {
    fc.assert(
      fc.property(fc.oneof(nearlyAddress, fc.ipV4(), fc.ipV6(), fc.string()), (text) => {
        const expected = isIPv4(text) || (isIPv6(text) && !text.includes('%'))
        expect(parseAddress(text) !== undefined).toBe(expected)
      }),
      { numRuns: 20_000 },
    )
  })

  it('never throws on any text', () => {
    fc.assert(fc.property(fc.string({ unit: 'binary' }), (text) => void addressIn(text)))
  })
})

describe('canonical form', () => {
  it('reads back as itself, and equals what the URL parser of the platform makes of it', () => {
    fc.assert(
      fc.property(fc.ipV6(), (text) => {
        const once = canonical(text)
        expect(canonical(once)).toBe(once)
        expect(canonical(text.toUpperCase())).toBe(once)
        const mapped = once.includes('.')
        if (!mapped) expect(once).toBe(new URL(`http://[${text}]/`).hostname.slice(1, -1))
      }),
      { numRuns: 5000 },
    )
  })

  it('is the same for an IPv4 address and its IPv4-mapped spellings', () => {
    fc.assert(
      fc.property(fc.ipV4(), (text) => {
        expect(canonical(text)).toBe(text)
        expect(canonical(`::ffff:${text}`)).toBe(text)
        expect(canonical(`[0:0:0:0:0:FFFF:${text}]:65535`)).toBe(text)
      }),
    )
  })
})

describe('prefix', () => {
  it('is a /24 or /48 that contains the address', () => {
    fc.assert(
      fc.property(fc.oneof(fc.ipV4(), fc.ipV6()), (text) => {
        const address = parseAddress(text)
        if (address === undefined) throw new Error(`not read: ${text}`)
        const block = parseBlock(prefixOf(address))
        expect(block?.length).toBe(address.family === 4 ? 24 : 48)
        expect(block !== undefined && contains(block, address)).toBe(true)
      }),
      { numRuns: 2000 },
    )
  })

  it('is written in canonical form', () => {
    const prefix = (text: string): string => {
      const address = addressIn(text)
      return address === undefined ? '' : prefixOf(address)
    }
    expect(prefix('203.0.113.77')).toBe('203.0.113.0/24')
    expect(prefix('2001:db8:7:ffff::1')).toBe('2001:db8:7::/48')
    expect(prefix('::1')).toBe('::/48')
  })
})

describe('blocks', () => {
  it('clear the bits beyond their length and never hold the other family', () => {
    const block = parseBlock('203.0.113.129/25')
    expect(block && formatAddress(block.address)).toBe('203.0.113.128')
    const all = parseBlock('0.0.0.0/0')
    const six = parseAddress('2001:db8::1')
    const four = parseAddress('203.0.113.1')
    if (all === undefined || six === undefined || four === undefined || block === undefined) throw new Error()
    expect([contains(all, four), contains(all, six), contains(block, four)]).toEqual([true, false, false])
  })

  it.each(['10.0.0.0', '10.0.0.0/', '10.0.0.0/33', '::/129', '10.0.0.0/-1', '10.0.0.0/8x', 'x/8'])(
    '%j is no block',
    (text) => expect(parseBlock(text)).toBeUndefined(),
  )

  it.each([
    ['10.255.255.255', '10.0.0.0/8'],
    ['11.0.0.0', ''],
    ['172.15.255.255', ''],
    ['172.16.0.0', '172.16.0.0/12'],
    ['172.31.255.255', '172.16.0.0/12'],
    ['172.32.0.0', ''],
    ['192.168.0.1', '192.168.0.0/16'],
    ['192.169.0.1', ''],
    ['100.63.255.255', ''],
    ['100.64.0.0', '100.64.0.0/10'],
    ['100.127.255.255', '100.64.0.0/10'],
    ['100.128.0.0', ''],
    ['127.0.0.1', '127.0.0.0/8'],
    ['169.254.169.254', '169.254.0.0/16'],
    ['198.18.0.1', '198.18.0.0/15'],
    ['198.20.0.1', ''],
    ['0.0.0.0', '0.0.0.0/8'],
    ['192.0.2.1', ''],
    ['198.51.100.1', ''],
    ['203.0.113.1', ''],
    ['::1', '::1/128'],
    ['::2', ''],
    ['::', '::/128'],
    ['fd12:3456::1', 'fc00::/7'],
    ['fe00::1', ''],
    ['febf::1', 'fe80::/10'],
    ['fec0::1', 'fec0::/10'],
    ['2001:db8::1', ''],
    ['::ffff:192.168.1.1', '192.168.0.0/16'],
  ])('private block of %s is %j', (text, block) => {
    const address = parseAddress(text)
    expect(address && privateBlockOf(address)).toBe(block)
  })

  it.each([
    ['192.0.2.255', true],
    ['192.0.3.0', false],
    ['198.51.100.0', true],
    ['203.0.113.9', true],
    ['2001:db8:ffff::', true],
    ['2001:db9::', false],
    ['3fff:fff::', true],
    ['3fff:1000::', false],
  ])('%s is of a documentation block: %s', (text, expected) => {
    const address = parseAddress(text)
    expect(address && isDocumentation(address)).toBe(expected)
  })
})
