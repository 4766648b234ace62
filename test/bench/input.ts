import { createWriteStream } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { createGzip } from 'node:zlib'
import { type LoadOptions, loadRecords } from '../../datasets/company/load.ts'

/** Writes a load as one log file and returns its folder. Level 1: the compressor is not what is measured. */
export async function writeLoad(folder: string, load: LoadOptions, gzip: boolean): Promise<string> {
  await mkdir(folder, { recursive: true })
  const lines = Readable.from(texts(load))
  const file = createWriteStream(join(folder, gzip ? 'load.ndjson.gz' : 'load.ndjson'))
  if (gzip) await pipeline(lines, createGzip({ level: 1 }), file)
  else await pipeline(lines, file)
  return folder
}

function* texts(load: LoadOptions): Generator<string> {
  for (const batch of loadRecords(load)) yield `${batch.map((record) => record.line).join('\n')}\n`
}
