import { type ChildProcess, fork } from 'node:child_process'
import { randomInt } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { createRequire } from 'node:module'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Fault } from './clickhouse-faults.ts'
import { type Compiled, compile } from './compiled.ts'

/**
 * The server path of the store, without a ClickHouse server, which cannot be had here: the real embedded engine behind
 * ClickHouse's HTTP interface, in a process of its own, so that many processes can share it, and it can be killed, or told to
 * fail in the ways of servers and networks.
 *
 *     const available = clickHouseAvailable()                // an error in CI when chdb is missing
 *     if (!available) console.warn('SKIPPED: …')
 *     describe.skipIf(!available)('…', () => {
 *       const front = await startClickHouse()                  // beforeAll; about 2 s
 *       const store = await openStore({ url: front.url })      // or CLICKHOUSE_URL=front.url for `plumbline serve`
 *       await front.fail({ mode: 'apply-then-reset', only: 'INSERT INTO activity', times: 1 })
 *       …
 *       expect(await front.heal()).toBe(1)                     // it really happened
 *       await front.kill(); await front.restart()              // kill -9; same data, same port
 *       await front.remove()                                   // afterAll
 *
 * It takes what `@clickhouse/client` sends: the statement in the body, or in the URL with its data as body (`FORMAT Native` and
 * Arrow too), `database`, `query_id`, `default_format` and settings for that request only, credentials; and answers as a
 * server: HTTP 500 with `X-ClickHouse-Exception-Code`, or HTTP 200 and an exception after more than 1 MiB of rows.
 * `system.processes` lists what was received and is not answered. Sessions, roles, query parameters and compression are
 * refused. One server, no replicas.
 */
export interface ClickHouseFront {
  readonly url: string
  /** Of the process; undefined while it is down. */
  readonly pid: number | undefined
  /** Switches a fault on, in place of another one. */
  fail(fault: Fault): Promise<void>
  /** Switches the fault off; how often it struck. */
  heal(): Promise<number>
  /** Ends it as an operator would: statements under way come to their end. */
  stop(): Promise<void>
  /** kill -9, in the middle of whatever it does. */
  kill(): Promise<void>
  /** Starts it again on the same data and port, after ending it if it runs; without a fault. */
  restart(): Promise<void>
  /** Ends it and removes its data, unless they were given. */
  remove(): Promise<void>
}

export type { Fault } from './clickhouse-faults.ts'

export interface ClickHouseFrontOptions {
  /** Folder of its data; absent: a new one. */
  readonly path?: string
  /** What clients must show; absent: anybody. */
  readonly password?: string
}

const PROCESS = 'test/support/clickhouse-front-process.ts'
/** Statements at once. The engine works in threads of its own, but each waits in one of libuv's, which are four by default. */
const THREADS = '64'
const STOP_MS = 30_000
const alive = new Set<ChildProcess>()
process.on('exit', () => {
  for (const child of alive) child.kill('SIGKILL')
})

/** Whether the embedded engine is installed; who skips without it says so. In CI it must be: a skip reads like a success. */
export function clickHouseAvailable(): boolean {
  try {
    createRequire(import.meta.url).resolve('chdb')
    return true
  } catch (error) {
    if (process.env.CI !== undefined) throw new Error('CI needs chdb', { cause: error })
    return false
  }
}

export async function startClickHouse(options: ClickHouseFrontOptions = {}): Promise<ClickHouseFront> {
  const compiled: Compiled = compile([PROCESS])
  const folder = options.path ?? mkdtempSync(join(tmpdir(), 'plumbline-clickhouse-'))
  const port = await freePort()
  let child: ChildProcess | undefined
  let messages = 0

  const end = async (signal: NodeJS.Signals): Promise<void> => {
    const ended = child
    child = undefined
    if (ended === undefined || !alive.has(ended)) return
    const closed = new Promise((done) => ended.once('exit', done))
    ended.kill(signal)
    const impatient = setTimeout(() => ended.kill('SIGKILL'), STOP_MS)
    await closed
    clearTimeout(impatient)
  }
  const start = async (): Promise<void> => {
    const started = fork(
      compiled.module(PROCESS),
      [folder, String(port), ...(options.password === undefined ? [] : [options.password])],
      {
        stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
        env: { ...process.env, UV_THREADPOOL_SIZE: THREADS },
        // Those of the test runner are not its own.
        execArgv: [],
      },
    )
    child = started
    alive.add(started)
    started.once('exit', () => alive.delete(started))
    await reply(started, 0)
  }
  const tell = async (fault: Fault | null): Promise<number> => {
    if (child === undefined) throw new Error('the front is down')
    messages += 1
    const told = reply(child, messages)
    child.send({ id: messages, fault })
    return told
  }

  await start()
  return {
    url: `http://127.0.0.1:${port}`,
    get pid() {
      return child?.pid
    },
    fail: async (fault) => {
      await tell(fault)
    },
    heal: () => tell(null),
    stop: () => end('SIGTERM'),
    kill: () => end('SIGKILL'),
    async restart() {
      await end('SIGTERM')
      await start()
    },
    async remove() {
      await end('SIGKILL')
      compiled.remove()
      if (options.path === undefined) rmSync(folder, { recursive: true, force: true })
    },
  }
}

/** Resolves with the answer of the child to a message, or rejects when it ends. */
function reply(child: ChildProcess, id: number): Promise<number> {
  return new Promise((done, failed) => {
    const ended = (code: number | null): void => failed(new Error(`the front ended with ${code}`))
    const listen = (message: { readonly id: number; readonly struck: number }): void => {
      if (message.id !== id) return
      child.off('message', listen)
      child.off('exit', ended)
      done(message.struck)
    }
    child.on('message', listen)
    child.once('exit', ended)
  })
}

/**
 * Below the ports that the system gives to outgoing connections: one of those could take it while the front is down, and it
 * could not come back.
 */
async function freePort(): Promise<number> {
  for (;;) {
    const port = randomInt(15_000, 30_000)
    const free = await new Promise<boolean>((done) => {
      const server = createServer()
      server.once('error', () => done(false))
      server.listen(port, '127.0.0.1', () => server.close(() => done(true)))
    })
    if (free) return port
  }
}
