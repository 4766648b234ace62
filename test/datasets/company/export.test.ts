import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { afterAll, describe, expect, it } from 'vitest'
import { loadAttacks } from '../../../datasets/attacks.ts'
import { createCompany } from '../../../datasets/company/company.ts'
import { exportCompany } from '../../../datasets/company/export.ts'
import { HOUR } from '../../../datasets/company/record.ts'
import { withAttacks } from '../../../datasets/company/stream.ts'
import { Random } from '../../../datasets/random.ts'

const start = Date.parse('2026-09-01T00:00:00Z')
const company = createCompany({ seed: 2, start, days: 5, scale: 0.5 })
const [from, to] = [start + 8 * HOUR, start + 14 * HOUR]
const attack = (await loadAttacks()).find(({ id }) => id === 'stolen-key-recon')
if (attack === undefined) throw new Error('the attack is gone')
const injection = attack.inject({ company, random: new Random(3), at: start + 9 * HOUR })
const folder = mkdtempSync(join(tmpdir(), 'plumbline-export-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const expected = (source: string): string =>
  [...withAttacks(company, [injection], from, to)]
    .flat()
    .filter((record) => record.source === source)
    .map(({ line }) => `${line}\n`)
    .join('')

describe('exportCompany', () => {
  it('writes each source to its file, with labels, identities and a notice', async () => {
    const plain = join(folder, 'plain')
    const attacks = [{ id: attack.id, injection }]
    const files = await exportCompany({ company, from, to, attacks, folder: plain })
    for (const { source, path, records, bytes } of files) {
      const text = readFileSync(path, 'utf8')
      expect(text).toBe(expected(source))
      expect(bytes).toBe(Buffer.byteLength(text))
      expect(records).toBe(text.split('\n').length - 1)
    }
    expect(files.map(({ source }) => source)).toContain('cloudtrail')
    expect(readFileSync(join(plain, 'SYNTHETIC.md'), 'utf8')).toMatch(/synthetic/i)
    const labels = readFileSync(join(plain, 'labels.csv'), 'utf8').trim().split('\n')
    expect(labels).toHaveLength(1 + injection.malicious.length)
    expect(labels[1]).toBe(`${injection.malicious[0]},${injection.identity},${attack.id}`)
    const identities = readFileSync(join(plain, 'identities.csv'), 'utf8').trim().split('\n')
    expect(identities).toHaveLength(1 + company.identities.length)
  })

  it('compresses on request, to the same bytes each time', async () => {
    const [one, two] = [join(folder, 'one'), join(folder, 'two')]
    await exportCompany({
      company,
      from,
      to,
      attacks: [{ id: attack.id, injection }],
      folder: one,
      gzip: true,
    })
    await exportCompany({
      company,
      from,
      to,
      attacks: [{ id: attack.id, injection }],
      folder: two,
      gzip: true,
    })
    expect(readdirSync(one)).toContain('cloudtrail.ndjson.gz')
    for (const name of readdirSync(one).filter((file) => file.endsWith('.gz'))) {
      const bytes = readFileSync(join(one, name))
      expect(gunzipSync(bytes).toString()).toBe(expected(name.replace('.ndjson.gz', '')))
      expect(readFileSync(join(two, name)).equals(bytes)).toBe(true)
    }
  })

  it.each([false, true])('rejects when a file cannot be written (gzip: %s)', async (gzip) => {
    const blocked = join(folder, `blocked-${gzip}`)
    writeFileSync(join(folder, 'file'), '')
    await expect(
      exportCompany({ company, from, to, folder: join(folder, 'file', 'below'), gzip }),
    ).rejects.toThrow()
    // A folder stands where a file must go.
    const { mkdirSync } = await import('node:fs')
    mkdirSync(join(blocked, `cloudtrail.ndjson${gzip ? '.gz' : ''}`), { recursive: true })
    await expect(exportCompany({ company, from, to, folder: blocked, gzip })).rejects.toMatchObject({
      code: 'EISDIR',
    })
  })
})
