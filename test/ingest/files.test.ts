import { execFileSync } from 'node:child_process'
import {
  appendFileSync,
  chmodSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join, relative } from 'node:path'
import { Readable } from 'node:stream'
import { gzipSync } from 'node:zlib'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type InputFile, isLogName, listFiles, openFile, STDIN } from '../../ingest/files.ts'
import { createReadTally, readRecords } from '../../ingest/reader.ts'
import { baseOptions, fake, words } from './fake-sources.ts'

let folder = ''
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'plumbline-files-'))
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

const put = (name: string, bytes: string | Buffer = 'x\n'): string => {
  const path = join(folder, name)
  mkdirSync(join(path, '..'), { recursive: true })
  writeFileSync(path, bytes)
  return path
}

const short = (path: string): string => (path.startsWith(folder) ? relative(folder, path) : path)

async function list(...paths: string[]) {
  const { files, skipped, problems } = await listFiles(paths)
  return {
    files: files.map(({ path, kind, size }) => `${short(path)} ${kind} ${size}`),
    skipped: skipped.map(({ path, reason }) => `${short(path)} ${reason}`),
    problems: problems.map(({ path, code }) => `${short(path)} ${code}`),
  }
}

async function slurp(file: InputFile, from = 0): Promise<string> {
  const parts: Buffer[] = []
  for await (const chunk of (await openFile(file, { from })).bytes) parts.push(chunk)
  return Buffer.concat(parts).toString()
}

const fileAt = (path: string): InputFile => ({ path, kind: 'file', size: 1 })

describe('listFiles', () => {
  it('finds the logs of a folder in order of name, and names what it leaves out', async () => {
    for (const name of ['b.ndjson', 'a.json', 'sub/deep/c.LOG.GZ', 'sub/d.jsonl.gz', 'Z.log']) put(name)
    for (const name of ['notes.txt', 'sub/e.csv', 'f.gz']) put(name)
    put('empty.log', '')
    expect(await list(folder)).toEqual({
      files: [
        'Z.log file 2',
        'a.json file 2',
        'b.ndjson file 2',
        'sub/d.jsonl.gz file 2',
        'sub/deep/c.LOG.GZ file 2',
      ],
      skipped: ['empty.log empty', 'f.gz extension', 'notes.txt extension', 'sub/e.csv extension'],
      problems: [],
    })
  })

  it('reads a named file whatever it is called, but none twice', async () => {
    const path = put('audit.txt')
    symlinkSync(path, join(folder, 'again.log'))
    expect(await list(path, folder, STDIN, STDIN)).toEqual({
      files: ['audit.txt file 2', '- stream 0'],
      skipped: ['again.log duplicate', 'audit.txt extension', '- duplicate'],
      problems: [],
    })
  })

  it('follows links, but no loop of them', async () => {
    put('real/a.log')
    symlinkSync(folder, join(folder, 'real', 'up'))
    symlinkSync(join(folder, 'real'), join(folder, 'zlink'))
    expect(await list(folder)).toEqual({
      files: ['real/a.log file 2'],
      skipped: ['real/up loop', 'zlink loop'],
      problems: [],
    })
  })

  it('collects what it cannot look at, and goes on', async () => {
    const good = put('good.log')
    symlinkSync(join(folder, 'nowhere'), join(folder, 'dangling.log'))
    symlinkSync(join(folder, 'self.log'), join(folder, 'self.log'))
    expect(await list(join(folder, 'missing'), join(good, 'below'), folder)).toEqual({
      files: ['good.log file 2'],
      skipped: [],
      problems: [
        'missing not-found',
        'good.log/below not-a-file',
        'dangling.log not-found',
        'self.log not-a-file',
      ],
    })
  })

  const root = process.getuid?.() === 0
  if (root) console.warn('SKIPPED: permission errors of the file system: root may read everything')
  it.skipIf(root)('collects a folder and a file without permission', async () => {
    put('closed/a.log')
    const file = put('secret.log')
    chmodSync(join(folder, 'closed'), 0)
    chmodSync(file, 0)
    expect((await list(folder)).problems).toEqual(['closed no-permission'])
    await expect(openFile(fileAt(file))).rejects.toMatchObject({ code: 'no-permission' })
    chmodSync(join(folder, 'closed'), 0o700)
  })

  it('reads a named pipe as a stream, and leaves one in a folder alone', async () => {
    const pipe = join(folder, 'pipe.log')
    execFileSync('mkfifo', [pipe])
    expect((await list(pipe)).files).toEqual(['pipe.log stream 0'])
    expect((await list(folder)).skipped).toEqual(['pipe.log not-a-file'])
    const reading = slurp({ path: pipe, kind: 'stream', size: 0 })
    execFileSync('sh', ['-c', 'echo hello > "$0"', pipe])
    expect(await reading).toBe('hello\n')
  })

  it('knows a log by its name', () => {
    const names = ['a.json', 'A.JSON.GZ', 'a.log', 'a.jsonl', 'a.ndjson.gz', 'a.b.log']
    expect(names.every(isLogName)).toBe(true)
    expect(['a.gz', 'json', 'a.log.1', 'a.csv', 'a.json.gz.gz', ''].some(isLogName)).toBe(false)
  })
})

describe('openFile', () => {
  it('reads a file of any size, from anywhere', async () => {
    const text = 'line\n'.repeat(200_000)
    const path = put('a.log', text)
    expect(await slurp(fileAt(path))).toBe(text)
    expect(await slurp(fileAt(path), 999_995)).toBe('line\n')
  })

  it('reads standard input, as bytes or as text', async () => {
    const stdin = Readable.from([Buffer.from('a'), 'b'])
    const { bytes, growing } = await openFile({ path: STDIN, kind: 'stream', size: 0 }, { stdin })
    const parts: Buffer[] = []
    for await (const chunk of bytes) parts.push(chunk)
    expect(Buffer.concat(parts).toString()).toBe('ab')
    expect(await growing()).toBe(false)
  })

  it('reads no further than the size of the moment it was opened, and says that there is more', async () => {
    const path = put('a.log', 'one\n')
    const { bytes, growing } = await openFile(fileAt(path))
    expect(await growing()).toBe(false)
    appendFileSync(path, 'two\n')
    const parts: Buffer[] = []
    for await (const chunk of bytes) parts.push(chunk)
    expect(Buffer.concat(parts).toString()).toBe('one\n')
    expect(await growing()).toBe(true)
  })

  it('ends when the file was cut meanwhile', async () => {
    const path = put('a.log', 'x'.repeat(600_000))
    const { bytes } = await openFile(fileAt(path))
    let length = 0
    for await (const chunk of bytes) {
      if (length === 0) truncateSync(path, 300_000)
      length += chunk.length
    }
    expect(length).toBeLessThanOrEqual(300_000)
  })

  it('throws coded errors that keep their cause', async () => {
    for (const [path, code] of [
      [join(folder, 'missing'), 'not-found'],
      [join(put('a.log'), 'x'), 'not-a-file'],
      [folder, 'not-a-file'],
    ] as const) {
      await expect(openFile(fileAt(path))).rejects.toMatchObject({ name: 'IngestError', code, path })
    }
    await expect(openFile(fileAt(join(folder, 'missing')))).rejects.toHaveProperty('cause.code', 'ENOENT')
  })
})

describe('a growing file', () => {
  it('leaves its half line for the next reading, which begins there', async () => {
    const path = put('a.log', `${fake('a')}\n{"fake":`)
    const opened = await openFile(fileAt(path))
    appendFileSync(path, '"b","t":2}\n')
    const tally = createReadTally()
    const { growing } = opened
    const first: string[] = []
    for await (const batch of readRecords(opened.bytes, { ...baseOptions, growing, tally }))
      first.push(...words(batch))
    expect(first).toEqual(['a@1'])
    expect(tally).toMatchObject({ read: 1, unread: { offset: 19, bytes: 8 } })
    const again = await openFile(fileAt(path), { from: tally.unread?.offset ?? 0 })
    const second: string[] = []
    for await (const batch of readRecords(again.bytes, baseOptions)) second.push(...words(batch))
    expect(second).toEqual(['b@2'])
  })

  it('judges the last line of a file that is finished', async () => {
    const path = put('a.log', `${fake('a')}\n${fake('b', 2)}`)
    const { bytes, growing } = await openFile(fileAt(path))
    const all: string[] = []
    for await (const batch of readRecords(bytes, { ...baseOptions, growing })) all.push(...words(batch))
    expect(all).toEqual(['a@1', 'b@2'])
  })

  it('reads a gzip by its bytes, whatever it is called', async () => {
    const { bytes } = await openFile(fileAt(put('a.json', gzipSync(fake('a')))))
    const all: string[] = []
    for await (const batch of readRecords(bytes, baseOptions)) all.push(...words(batch))
    expect(all).toEqual(['a@1'])
  })
})
