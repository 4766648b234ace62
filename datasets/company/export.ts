import { once } from 'node:events'
import { createWriteStream } from 'node:fs'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Writable } from 'node:stream'
import { finished } from 'node:stream/promises'
import { createGzip } from 'node:zlib'
import type { Injection } from '../attack.ts'
import type { Company } from './company.ts'
import type { CompanySource } from './record.ts'
import { withAttacks } from './stream.ts'

export interface ExportOptions {
  readonly company: Company
  /** Epoch ms, included. */
  readonly from: number
  /** Epoch ms, excluded. */
  readonly to: number
  /** Attacks to mix in, with the id to note in the labels. */
  readonly attacks?: readonly { readonly id: string; readonly injection: Injection }[]
  /** Made if it is missing; files of the same names are replaced. */
  readonly folder: string
  readonly gzip?: boolean
}

export interface ExportedFile {
  readonly source: CompanySource
  readonly path: string
  readonly records: number
  /** Before compression. */
  readonly bytes: number
}

interface OpenFile {
  readonly path: string
  readonly entry: Writable
  /** Settles when everything has reached the file, rejects at the first fault of either end. */
  readonly written: Promise<void>
  records: number
  bytes: number
}

/**
 * Writes a company's logs as one NDJSON file per source, beside `SYNTHETIC.md` (what this is), `identities.csv` (who is in
 * it) and `labels.csv` (event ids of the attacks). Streams: memory does not grow with the interval. Rejects with the file
 * system's error when a file cannot be written.
 */
export async function exportCompany(options: ExportOptions): Promise<readonly ExportedFile[]> {
  const { company, from, to, folder, gzip = false } = options
  const attacks = options.attacks ?? []
  await mkdir(folder, { recursive: true })
  const files = new Map<CompanySource, OpenFile>()
  const injections = attacks.map(({ injection }) => injection)
  try {
    for (const batch of withAttacks(company, injections, from, to)) {
      const texts = new Map<CompanySource, string>()
      for (const { source, line } of batch) {
        const file = files.get(source) ?? openFile(files, source, folder, gzip)
        file.records += 1
        texts.set(source, `${texts.get(source) ?? ''}${line}\n`)
      }
      for (const [source, text] of texts) await append(files.get(source), text)
    }
  } finally {
    for (const { entry } of files.values()) entry.end()
    await Promise.allSettled([...files.values()].map(({ written }) => written))
  }
  // Settled above so that no stream is left open; here a fault becomes the caller's.
  await Promise.all([...files.values()].map(({ written }) => written))
  await writeFile(join(folder, 'SYNTHETIC.md'), notice(company))
  await writeFile(join(folder, 'identities.csv'), identities(company))
  await writeFile(join(folder, 'labels.csv'), labels(attacks))
  return [...files].map(([source, { path, records, bytes }]) => ({ source, path, records, bytes }))
}

function openFile(
  files: Map<CompanySource, OpenFile>,
  source: CompanySource,
  folder: string,
  gzip: boolean,
): OpenFile {
  const path = join(folder, `${source}.ndjson${gzip ? '.gz' : ''}`)
  const sink = createWriteStream(path)
  const entry = gzip ? createGzip({ level: 6 }) : sink
  if (entry !== sink) {
    entry.pipe(sink)
    // `pipe` does not carry faults over: without this a full disk would leave the compressor waiting for ever.
    sink.once('error', (error) => entry.destroy(error))
  }
  const written = Promise.all([finished(sink), ...(entry === sink ? [] : [finished(entry)])]).then(
    () => undefined,
  )
  // Awaited at the end; until then a rejection must not count as unhandled.
  written.catch(() => undefined)
  const file: OpenFile = { path, entry, written, records: 0, bytes: 0 }
  files.set(source, file)
  return file
}

async function append(file: OpenFile | undefined, text: string): Promise<void> {
  if (file === undefined) return
  const bytes = Buffer.from(text)
  file.bytes += bytes.length
  if (!file.entry.write(bytes)) await Promise.race([once(file.entry, 'drain'), file.written])
}

function notice(company: Company): string {
  return `# Synthetic logs

Made by Plumbline's generator (\`datasets/company\`), seed ${company.seed}. No person, account, key, token or event in these
files is real. Addresses lie in real networks so that look-ups answer; the hosts are invented and did nothing.
`
}

function identities(company: Company): string {
  const rows = company.identities.map(({ id, source, archetype, owner, human, habits }) =>
    csv([id, source, archetype, owner, human ? 'person' : 'machine', habits]),
  )
  return `${csv(['identity', 'source', 'archetype', 'owner', 'kind', 'habits'])}${rows.join('')}`
}

function labels(attacks: NonNullable<ExportOptions['attacks']>): string {
  const rows = attacks.flatMap(({ id, injection }) =>
    injection.malicious.map((event) => csv([event, injection.identity, id])),
  )
  return `${csv(['event', 'identity', 'attack'])}${rows.join('')}`
}

const csv = (cells: readonly string[]): string =>
  `${cells.map((cell) => (/[",\n]/.test(cell) ? `"${cell.replaceAll('"', '""')}"` : cell)).join(',')}\n`
