import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { parseAddress } from '../../ingest/address.ts'
import { type AsnTable, loadAsnTable, organisationName } from '../../ingest/asn-table.ts'

const folder = mkdtempSync(join(tmpdir(), 'plumbline-asn-'))
let files = 0
async function table(ipv4: string, ipv6 = '2001:db8::,2001:db8::ffff,64500,Six\n'): Promise<AsnTable> {
  const name = join(folder, String(files++))
  writeFileSync(`${name}.4`, ipv4)
  writeFileSync(`${name}.6`, ipv6)
  return loadAsnTable({ ipv4: `${name}.4`, ipv6: `${name}.6` })
}
const find = (from: AsnTable, text: string): string => {
  const address = parseAddress(text)
  const system = address === undefined ? undefined : from.find(address)
  return system === undefined ? '-' : `${system.asn} ${system.organisation}`
}

describe('asn table', () => {
  it('finds both ends of a range, nothing in the gaps, and reads numbers and text alike', async () => {
    const asns = await table(
      '16777216,16777471,13335,"Cloudflare, Inc."\n1.0.4.0,1.0.7.255,38803,Gtelecom\n4294967040,4294967295,64501,Last\n',
    )
    expect(asns.ranges).toBe(4)
    expect(find(asns, '1.0.0.0')).toBe('13335 Cloudflare, Inc.')
    expect(find(asns, '1.0.0.255')).toBe('13335 Cloudflare, Inc.')
    expect(find(asns, '1.0.1.0')).toBe('-')
    expect(find(asns, '1.0.7.255')).toBe('38803 Gtelecom')
    expect(find(asns, '0.255.255.255')).toBe('-')
    expect(find(asns, '255.255.255.255')).toBe('64501 Last')
    expect(find(asns, '2001:db8::ffff')).toBe('64500 Six')
    expect(find(asns, '2001:db8::1:0')).toBe('-')
    expect(find(asns, '100::')).toBe('-')
  })

  it('reads quotes, carriage returns, empty lines, other scripts, and a last line without its end', async () => {
    const asns = await table('16777216,16777216,1,"LLC ""SPUTNIK"""\r\n\r\n\n16777217,16777217,2,ООО Спутник')
    expect(find(asns, '1.0.0.0')).toBe('1 LLC "SPUTNIK"')
    expect(find(asns, '1.0.0.1')).toBe('2 ООО Спутник')
  })

  it('takes the range that starts last where ranges overlap, whatever their order in the file', async () => {
    const rows = [
      '3596550144,3607166975,749,Wide',
      '3607101440,3607167999,721,Late',
      '16777216,16777471,5,First',
    ]
    for (const csv of [rows, [...rows].reverse()]) {
      const asns = await table(csv.join('\n'))
      expect(find(asns, '215.0.0.0')).toBe('721 Late')
      expect(find(asns, '214.95.0.1')).toBe('749 Wide')
      expect(find(asns, '1.0.0.9')).toBe('5 First')
    }
  })

  it.each([
    ['', 'has no rows'],
    ['start,end,asn,name\n', 'row 1'],
    ['16777216,16777471,13335,A\n16777216,16777471\n', 'row 2'],
    ['16777216,16777471,AS13335,A\n', 'row 1'],
    ['2001:db8::,2001:db8::1,1,A\n', 'row 1'],
    ['4294967296,4294967297,1,A\n', 'row 1'],
  ])('refuses %j', async (csv, why) => {
    await expect(table(csv)).rejects.toMatchObject({
      code: 'not-asn-table',
      message: expect.stringContaining(why),
    })
  })

  it('refuses a missing file by code and path', async () => {
    const path = join(folder, 'missing')
    await expect(loadAsnTable({ ipv4: path, ipv6: path })).rejects.toMatchObject({ code: 'unreadable', path })
  })

  it('agrees with a scan of the rows, IPv6 words included', async () => {
    const bit = fc.boolean()
    const address = fc.tuple(bit, bit, bit, bit, fc.integer({ min: 0, max: 3 })).map(([a, b, c, d, low]) => {
      const groups = [a, b, c, d].map((high) => (high ? 'ffff:8000' : '0001:0'))
      return `${groups.slice(0, 3).join(':')}:${d ? 'ffff' : '0'}:${low}`
    })
    await fc.assert(
      fc.asyncProperty(
        fc.uniqueArray(address, { minLength: 2, maxLength: 12 }),
        address,
        async (texts, asked) => {
          const key = (text: string): string =>
            text
              .split(':')
              .map((group) => group.padStart(4, '0'))
              .join('')
          const ordered = [...texts].sort((a, b) => (key(a) < key(b) ? -1 : 1))
          const pairs: [string, string][] = []
          for (let i = 0; i + 1 < ordered.length; i += 2) pairs.push([ordered[i] ?? '', ordered[i + 1] ?? ''])
          const asns = await table(
            '16777216,16777216,64500,A',
            pairs.map(([from, to], i) => `${from},${to},${i + 1},N${i + 1}`).join('\n'),
          )
          const expected =
            pairs.findIndex(([from, to]) => key(from) <= key(asked) && key(asked) <= key(to)) + 1
          expect(find(asns, asked)).toBe(expected === 0 ? '-' : `${expected} N${expected}`)
        },
      ),
      { numRuns: 200 },
    )
  })
})

describe('name of an organisation', () => {
  it.each([
    ['AS16509 Amazon.com, Inc.', 'Amazon.com, Inc.'],
    ['  WIFI­  BR \u0000 ME ', 'WIFI BR ME'],
    ['ASUS Cloud', 'ASUS Cloud'],
    ['', ''],
  ])('%j becomes %j', (text, expected) => expect(organisationName(text)).toBe(expected))

  it('is bounded and well-formed', () => {
    const name = organisationName('🏢'.repeat(200).slice(1))
    expect(name.length).toBeLessThanOrEqual(128)
    expect(Buffer.from(name, 'utf8').toString('utf8')).toBe(name)
  })
})
