import {
  appendFileSync,
  mkdirSync,
  mkdtempSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  unlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { createFolderWatch, type FolderWatch } from '../../api/folder-watch.ts'
import { newCounts } from '../../api/pipeline.ts'
import { StoreError } from '../../features/store/store-error.ts'
import type { ReadRecord } from '../../ingest/reader.ts'
import { loadSources, type SourceRegistry } from '../../ingest/sources.ts'
import { ndjson, trail, trails } from '../support/service.ts'

let registry: SourceRegistry
const root = mkdtempSync(join(tmpdir(), 'plumbline-watch-'))
let number = 0
let folder = ''
beforeAll(async () => {
  registry = await loadSources()
})
afterAll(() => rmSync(root, { recursive: true, force: true }))

/** What became durable, in order; ids of events, or the reason a record is dead. */
let taken: string[] = []
let letters: ReadRecord[] = []
let cursors = new Map<string, string>()
let warnings: Record<string, unknown>[] = []
let failing = 0
/** The how-manieth batch from now on fails. */
let failFrom = 0
let clock = 0
let looked = 0
/** Happens while a batch is being stored, once. */
let meanwhile = (): void => {}

beforeEach(() => {
  number += 1
  folder = join(root, String(number))
  mkdirSync(folder)
  taken = []
  letters = []
  cursors = new Map()
  warnings = []
  failing = 0
  failFrom = 0
  looked = 0
  meanwhile = () => {}
  // Well after every file was written: settled, unless a test says otherwise.
  clock = Date.now() + 3_600_000
})

/** A new process: nothing in memory, the cursors in the store. */
function watch(): FolderWatch {
  return createFolderWatch({
    folders: [folder],
    registry,
    intervalMs: 1000,
    settleMs: 5000,
    now: () => clock,
    logger: {
      info: () => {},
      warn: (fields: object) => {
        warnings.push({ ...fields })
      },
    },
    store: {
      cursor: async (name) => {
        looked += 1
        return cursors.get(name)
      },
      setCursor: async (name, value) => {
        cursors.set(name, value)
      },
    },
    intake: {
      ingest: async (records) => {
        meanwhile()
        meanwhile = () => {}
        failFrom -= 1
        if (failing > 0 || failFrom === 0) {
          failing -= 1
          throw new StoreError('store-write-failed', 'broken by the test')
        }
        for (const record of records) {
          const { verdict } = record
          if (verdict.outcome === 'accepted') taken.push(verdict.value.eventId)
          else if (verdict.outcome === 'dead') taken.push(verdict.reason)
          if (record.letter !== undefined) letters.push(record)
        }
        const counts = newCounts()
        counts.read = records.length
        counts.scored = records.length
        for (const { verdict } of records) if (verdict.outcome === 'dead') counts.dead.set(verdict.reason, 1)
        return counts
      },
    },
  })
}

const file = (name = 'app.log'): string => join(folder, name)
const write = (text: string | Buffer, name?: string): void => appendFileSync(file(name), text)
const ids = (prefix: string, count: number): string[] =>
  Array.from({ length: count }, (_, at) => `${prefix}-${at}`)
/** As if the file had been written to just now, by the clock of the watch. */
const touched = (name?: string): void => utimesSync(file(name), clock / 1000, clock / 1000)

describe('growth', () => {
  it('reads what is there, then only what is new, in this process and in the next', async () => {
    const first = watch()
    write(ndjson(trails('a', 3)))
    await first.poll()
    await first.poll()
    expect(taken).toEqual(ids('a', 3))
    write(ndjson(trails('b', 2)))
    await first.poll()
    expect(taken).toEqual([...ids('a', 3), ...ids('b', 2)])
    write(ndjson(trails('c', 1)))
    await watch().poll()
    expect(taken.slice(5)).toEqual(['c-0'])
  })

  it('asks the store once a file, and opens nothing that did not change', async () => {
    write(ndjson(trails('a', 1)))
    const one = watch()
    for (let at = 0; at < 5; at++) await one.poll()
    expect(looked).toBe(1)
  })

  it('leaves a half line until its end is written', async () => {
    const line = ndjson([trail('half')])
    write(ndjson([trail('whole')]) + line.slice(0, 100))
    touched()
    const one = watch()
    await one.poll()
    expect(taken).toEqual(['whole'])
    write(line.slice(100))
    touched()
    await one.poll()
    expect(taken).toEqual(['whole', 'half'])
    expect(letters).toEqual([])
  })

  it('takes a last line without line break, and a document over many lines, once nothing more comes', async () => {
    write(JSON.stringify({ Records: trails('doc', 2) }, null, 2), 'doc.json')
    write(JSON.stringify(trail('line')), 'line.json')
    touched('doc.json')
    touched('line.json')
    const one = watch()
    await one.poll()
    expect(taken).toEqual([])
    clock += 5001
    await one.poll()
    expect(taken.sort()).toEqual(['doc-0', 'doc-1', 'line'])
    await watch().poll()
    expect(taken).toHaveLength(3)
  })

  it('gives bad lines their place in the file, not in the part that was read', async () => {
    const one = watch()
    write('garbage\n')
    await one.poll()
    write('garbage\n')
    await one.poll()
    expect(letters.map(({ letter }) => letter?.position)).toMatchObject([
      { origin: file(), line: 1, offset: 0 },
      { origin: file(), line: 2, offset: 8 },
    ])
  })

  it('reads a long file in parts and, when the store fails, goes on from the last durable one', async () => {
    const count = 45_000
    write(ndjson(ids('long', count).map((id) => trail(id))))
    const one = watch()
    failFrom = 10
    await one.poll()
    expect(taken.length).toBeGreaterThan(30_000)
    expect(taken.length).toBeLessThan(count)
    const before = taken.length
    await one.poll()
    expect(new Set(taken)).toEqual(new Set(ids('long', count)))
    // Not from the start again.
    expect(taken.length - before).toBeLessThan(20_000)
    expect(taken.at(-1)).toBe(`long-${count - 1}`)
    taken = []
    await watch().poll()
    expect(taken).toEqual([])
  })
})

describe('rotation', () => {
  it('follows a file that is renamed, and reads the new one from its start', async () => {
    const one = watch()
    write(ndjson(trails('a', 2)))
    await one.poll()
    write(ndjson(trails('b', 1)))
    renameSync(file(), file('app.log.1'))
    write(ndjson(trails('c', 1)))
    await one.poll()
    expect(taken).toEqual([...ids('a', 2), 'b-0', 'c-0'])
    await watch().poll()
    expect(taken).toHaveLength(4)
  })

  it('starts again when a file is emptied, even if it is longer again by the next look', async () => {
    const one = watch()
    write(ndjson(trails('a', 2)))
    await one.poll()
    truncateSync(file())
    write(ndjson(trails('b', 1)))
    await one.poll()
    truncateSync(file())
    write(ndjson(trails('c', 9)))
    await one.poll()
    expect(taken).toEqual([...ids('a', 2), 'b-0', ...ids('c', 9)])
  })

  it('starts again when a file is emptied and filled while it is being read', async () => {
    write(ndjson(trails('old', 3)))
    meanwhile = () => {
      truncateSync(file(), 0)
      write(ndjson(trails('new', 5)))
    }
    const one = watch()
    await one.poll()
    await one.poll()
    expect(taken).toEqual([...ids('old', 3), ...ids('new', 5)])
  })

  it('tells a new file by its content when it gets the inode of an old one', async () => {
    const one = watch()
    write(ndjson(trails('a', 2)))
    await one.poll()
    const inode = statSync(file()).ino
    const [mark] = [...cursors.values()]
    unlinkSync(file())
    write(ndjson(trails('b', 5)))
    // Whatever inode the system gave: the store remembers the old file under it.
    cursors = new Map([[`file:${statSync(file()).dev}:${statSync(file()).ino}`, mark ?? '']])
    await watch().poll()
    expect(taken.slice(2), `inode ${inode}`).toEqual(ids('b', 5))
  })

  it('reads older files first, and a file with two names once', async () => {
    write(ndjson(trails('new', 1)), 'a.log')
    write(ndjson(trails('old', 1)), 'b.log.1')
    utimesSync(file('b.log.1'), 1000, 1000)
    symlinkSync(file('a.log'), file('link.log'))
    write('no log', 'notes.txt')
    await watch().poll()
    expect(taken).toEqual(['old-0', 'new-0'])
  })
})

describe('gzip', () => {
  it('waits until it is whole, then reads it once', async () => {
    const zipped = gzipSync(ndjson(trails('z', 50)))
    write(zipped.subarray(0, 300), 'z.log.gz')
    touched('z.log.gz')
    const one = watch()
    await one.poll()
    expect(taken).toEqual([])
    write(zipped.subarray(300), 'z.log.gz')
    touched('z.log.gz')
    clock += 5001
    await one.poll()
    await one.poll()
    await watch().poll()
    expect(taken).toEqual(ids('z', 50))
  })

  it('reports a damaged one once and does not read it again', async () => {
    write(gzipSync(ndjson(trails('z', 50)), { level: 0 }).subarray(0, 10_000), 'z.json.gz')
    const one = watch()
    for (let at = 0; at < 3; at++) await one.poll()
    expect(taken.filter((t) => t === 'truncated-gzip')).toHaveLength(1)
    expect(warnings).toEqual([{ code: 'damaged-gzip', path: file('z.json.gz') }])
  })
})

describe('trouble', () => {
  it('reports a bad file once, leaves it alone for longer and longer, and reads the others', async () => {
    write(Buffer.from([0, 1, 2, 3]), 'bad.log')
    write(ndjson(trails('a', 1)), 'good.log')
    const one = watch()
    for (let at = 0; at < 5; at++) await one.poll()
    expect(taken).toEqual(['a-0'])
    expect(warnings).toEqual([{ code: 'binary-input', path: file('bad.log') }])
    // Mended: it is looked at when its pause is over.
    writeFileSync(file('bad.log'), ndjson(trails('mended', 1)))
    await one.poll()
    expect(taken).toEqual(['a-0'])
    clock += 2001
    await one.poll()
    expect(taken).toEqual(['a-0', 'mended-0'])
  })

  it('moves no cursor when the store fails, and reads the same again', async () => {
    write(ndjson(trails('a', 2)))
    failing = 1
    const one = watch()
    await one.poll()
    expect(taken).toEqual([])
    expect(cursors.size).toBe(0)
    await one.poll()
    expect(taken).toEqual(ids('a', 2))
  })

  it('reports a folder that vanished once, and goes on when it is back', async () => {
    const one = watch()
    rmSync(folder, { recursive: true })
    await one.poll()
    await one.poll()
    expect(warnings).toEqual([{ code: 'not-found', path: folder }])
    mkdirSync(folder)
    write(ndjson(trails('a', 1)))
    await one.poll()
    expect(taken).toEqual(['a-0'])
  })

  it('polls by itself until it is stopped', async () => {
    const one = watch()
    write(ndjson(trails('a', 1)))
    one.start()
    await expect.poll(() => taken).toEqual(['a-0'])
    await one.stop()
    write(ndjson(trails('b', 1)))
    expect(taken).toEqual(['a-0'])
  })
})
