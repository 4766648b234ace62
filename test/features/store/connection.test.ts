import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { Worker } from 'node:worker_threads'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openEngine } from '../../../features/store/client.ts'
import { TABLES } from '../../../features/store/columns.ts'
import { openStore } from '../../../features/store/connection.ts'
import { MIGRATIONS, migrate, replicated } from '../../../features/store/migrations.ts'
import { StoreError } from '../../../features/store/store-error.ts'
import { type Compiled, compile } from '../../support/compiled.ts'
import { activity, emptyBatch, storeFolder } from '../../support/store.ts'

const folder = storeFolder()
let compiled: Compiled
beforeAll(() => {
  compiled = compile(['features/store/connection.ts'])
})
afterAll(async () => {
  compiled.remove()
  await folder.remove()
})

/** Runs a module text in a child process; resolves with what it printed. */
async function child(code: string): Promise<{ readonly pid: number; readonly out: string }> {
  const process = spawn(globalThis.process.execPath, ['--input-type=module', '-e', code], {
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let out = ''
  process.stdout.on('data', (chunk: Buffer) => {
    out += chunk.toString()
  })
  await once(process, 'close')
  return { pid: process.pid ?? 0, out }
}

async function refusal(opening: Promise<unknown>): Promise<StoreError> {
  const error = await opening.then(
    () => undefined,
    (reason: unknown) => reason,
  )
  if (!(error instanceof StoreError)) throw new Error(`no StoreError: ${String(error)}`)
  return error
}

describe('opening', () => {
  it('creates the directory, keeps what was written, and lets a closed store be opened again', async () => {
    const options = { path: folder.path, database: 'again' }
    const first = await openStore(options)
    await first.write({ ...emptyBatch, activities: [activity('u', 'i', 5)] })
    const written = first.write({ ...emptyBatch, activities: [activity('v', 'i', 6)] })
    // Closing waits for what is under way.
    await Promise.all([written, first.close()])
    await first.close()
    await expect(first.horizon()).rejects.toMatchObject({ code: 'store-closed' })
    const second = await openStore(options)
    expect(await second.horizon()).toEqual({ maxTime: 6, activities: 2 })
    await second.close()
  })

  it('goes on numbering where it stopped', async () => {
    const options = { path: folder.path, database: 'numbers' }
    for (const uid of ['a', 'b', 'c']) {
      const store = await openStore(options)
      // Event times run backwards: only the order of writing can tell.
      await store.write({ ...emptyBatch, activities: [activity(uid, 'i', 100 - uid.charCodeAt(0))] })
      await store.close()
    }
    const store = await openStore(options)
    expect((await store.load(['i'])).get('i')?.open.map((a) => a.uid)).toEqual(['a', 'b', 'c'])
    await store.close()
  })

  it('lets one of two in that come at the same moment', async () => {
    const both = await Promise.allSettled([
      openStore({ path: folder.path, database: 'twice' }),
      openStore({ path: folder.path, database: 'twice' }),
    ])
    for (const one of both) if (one.status === 'fulfilled') await one.value.close()
    expect(both.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected'])
    // The one that was refused took nothing away.
    const again = await openStore({ path: folder.path, database: 'twice' })
    await again.close()
  })

  it('refuses a second process, naming the directory and the process that has it', async () => {
    const store = await folder.open()
    const module = compiled.module('features/store/connection.ts')
    const { out } = await child(`
      import { openStore } from ${JSON.stringify(module)}
      try { await openStore({ path: ${JSON.stringify(folder.path)} }); console.log('opened') }
      catch (error) { console.log(JSON.stringify({ code: error.code, message: error.message })) }`)
    const said: unknown = JSON.parse(out)
    expect(said).toEqual({ code: 'store-locked', message: expect.stringContaining(`process ${process.pid}`) })
    expect(said).toEqual({ code: 'store-locked', message: expect.stringContaining(folder.path) })
    expect(await store.horizon()).toEqual({ maxTime: 0, activities: 0 })
  })

  it('relies on the lock of the engine when the mark is missing', async () => {
    const store = await folder.open()
    const mark = join(folder.path, 'plumbline.pid')
    const kept = readFileSync(mark)
    writeFileSync(mark, '')
    const { out } = await child(`
      import { openStore } from ${JSON.stringify(compiled.module('features/store/connection.ts'))}
      try { await openStore({ path: ${JSON.stringify(folder.path)} }); console.log('opened') } catch (error) { console.log(error.code) }`)
    writeFileSync(mark, kept)
    expect(out.trim()).toBe('store-locked')
    await store.close()
  })

  it('takes over from a process that died, or whose number went to another', async () => {
    // One directory per process, so the child does the opening.
    const path = join(folder.path, '..', `${folder.path.split('/').at(-1)}-stale`)
    mkdirSync(path)
    for (const holder of [
      { pid: 4_194_300, host: hostname(), born: '1' },
      { pid: process.pid, host: hostname(), born: 'before' },
    ]) {
      writeFileSync(join(path, 'plumbline.pid'), JSON.stringify(holder))
      const { out } = await child(`
        import { openStore } from ${JSON.stringify(compiled.module('features/store/connection.ts'))}
        const store = await openStore({ path: ${JSON.stringify(path)} }); console.log(await store.cursor('x')); await store.close()`)
      expect(out.trim()).toBe('undefined')
    }
    rmSync(path, { recursive: true })
  })

  it('refuses the same database twice in one process', async () => {
    await folder.open({ database: 'twice' })
    expect(await refusal(openStore({ path: folder.path, database: 'twice' }))).toMatchObject({
      code: 'store-locked',
    })
  })

  it('says what is wrong with a directory that is none', async () => {
    const file = join(folder.path, 'plumbline.pid')
    const error = await refusal(openStore({ path: join(file, 'below') }))
    expect(error.code).toBe('store-unwritable')
    expect(error.message).toContain('below')
    expect(error.cause).toBeInstanceOf(Error)
  })

  it('says which server does not answer, without its password', async () => {
    const error = await refusal(openStore({ url: 'http://user:hush@127.0.0.1:9' }))
    expect(error.code).toBe('store-unreachable')
    expect(error.message).toContain('127.0.0.1:9')
    expect(error.message).not.toContain('hush')
  })

  it('refuses a database name that is none', async () => {
    expect(await refusal(openStore({ path: folder.path, database: 'a; DROP' }))).toMatchObject({
      code: 'store-unreachable',
    })
  })

  it('stays off worker threads', async () => {
    const module = compiled.module('features/store/connection.ts')
    const worker = new Worker(
      `import(${JSON.stringify(module)}).then((m) => m.openStore({ path: ${JSON.stringify(folder.path)} }))
       .then(() => 'opened', (error) => error.code).then((said) => require('node:worker_threads').parentPort.postMessage(said))`,
      { eval: true },
    )
    expect(await once(worker, 'message')).toEqual(['store-wrong-thread'])
    await worker.terminate()
  })
})

describe('a session', () => {
  it('is not poisoned by the output of a query that failed half-way', async () => {
    const engine = await openEngine({ path: folder.path, database: 'poison' }, 1)
    for (const session of engine.sessions) {
      for (let round = 0; round < 3; round++) {
        const failing = session.rows(
          'SELECT number, throwIf(number = 190000) FROM numbers(200000) SETTINGS max_block_size = 1000',
        )
        // Already waiting in line when the other fails.
        const next = session.rows("SELECT 'mine'")
        await expect(failing).rejects.toMatchObject({ code: 'store-read-failed', cause: expect.anything() })
        expect(await next).toEqual([['mine']])
      }
      await expect(session.insert('nowhere', ['a'], '[1]')).rejects.toMatchObject({
        code: 'store-write-failed',
      })
      expect(await session.rows('SELECT 1')).toEqual([[1]])
      await session.close()
    }
    await engine.release()
  })
})

describe('migrations', () => {
  it('are applied once, go forward, and stop an older program', async () => {
    const engine = await openEngine({ path: folder.path, database: 'schema' }, 1)
    for (const session of engine.sessions) {
      let ran = 0
      const next = {
        version: 2,
        name: 'next',
        statements: () => {
          ran += 1
          return ['ALTER TABLE cursor ADD COLUMN IF NOT EXISTS note String']
        },
      }
      await migrate(session, { replicated: false })
      await migrate(session, { replicated: false, migrations: [...MIGRATIONS, next] })
      await migrate(session, { replicated: false, migrations: [...MIGRATIONS, next] })
      expect(ran).toBe(1)
      expect(await session.rows('SELECT note FROM cursor')).toEqual([])
      const error = await refusal(migrate(session, { replicated: false }))
      expect(error).toMatchObject({
        code: 'store-schema-newer',
        message: expect.stringContaining('version 2'),
      })
      await session.close()
    }
    await engine.release()
  })

  it('spell replicated engines without a deduplication window, in SQL the engine understands', async () => {
    const said = MIGRATIONS.flatMap((migration) => migration.statements(replicated))
    const engine = await openEngine({ path: folder.path, database: 'replicas' }, 1)
    for (const session of engine.sessions) {
      for (const statement of said) {
        expect(statement).toMatch(
          /ENGINE = Replicated\w+MergeTree\('\/clickhouse\/tables\/\{uuid\}\/\{shard\}', '\{replica\}'/,
        )
        expect(statement).toContain('replicated_deduplication_window = 0')
        await session.run(`EXPLAIN AST ${statement}`)
      }
      await session.close()
    }
    await engine.release()
    expect(said.length).toBe(TABLES.length)
  })
})

describe('retention', () => {
  it('is off unless asked for, and can be taken back', async () => {
    const options = { path: folder.path, database: 'ageing' }
    const ttl = async (retentionMonths?: number): Promise<string | undefined> => {
      const store = await openStore({ ...options, retentionMonths })
      await store.close()
      const engine = await openEngine({ path: folder.path, database: 'probe' }, 1)
      let found: unknown
      for (const session of engine.sessions) {
        const rows = await session.rows(
          "SELECT extract(engine_full, 'toInterval(\\\\w+\\\\(\\\\d+\\\\))') FROM system.tables WHERE database = 'ageing' AND name = 'activity'",
        )
        found = rows[0]?.[0]
        await session.close()
      }
      await engine.release()
      return String(found)
    }
    expect(await ttl()).toBe('')
    expect(await ttl(13)).toBe('Month(13)')
    expect(await ttl(13)).toBe('Month(13)')
    expect(await ttl(6)).toBe('Month(6)')
    expect(await ttl()).toBe('')
  })
})
