import { type ChildProcess, fork } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Fault } from './clickhouse-front-process.ts'
import { type Compiled, compile } from './compiled.ts'

/**
 * The server path of the store, without a ClickHouse server, which cannot be had here: the real embedded engine behind
 * ClickHouse's HTTP interface, in a process of its own, so that many processes can share it, and it can be killed, or told
 * to fail in the ways of servers and networks.
 */
export interface ClickHouseFront {
  readonly url: string
  fault(fault: Fault): Promise<void>
  kill(): Promise<void>
  start(): Promise<void>
  /** Ends it and removes its data. */
  remove(): Promise<void>
}

const alive = new Set<ChildProcess>()
process.on('exit', () => {
  for (const child of alive) child.kill('SIGKILL')
})

export async function startClickHouse(): Promise<ClickHouseFront> {
  const compiled: Compiled = compile(['test/support/clickhouse-front-process.ts'])
  const folder = mkdtempSync(join(tmpdir(), 'plumbline-clickhouse-'))
  const port = await freePort()
  const url = `http://127.0.0.1:${port}`
  let child: ChildProcess | undefined
  const end = async (signal: NodeJS.Signals): Promise<void> => {
    const ended = child
    child = undefined
    if (ended === undefined || ended.exitCode !== null || ended.signalCode !== null) return
    const closed = new Promise((done) => ended.once('exit', done))
    ended.kill(signal)
    await closed
    alive.delete(ended)
  }
  const start = async (): Promise<void> => {
    const started = fork(
      compiled.module('test/support/clickhouse-front-process.ts'),
      [join(folder, 'data'), String(port)],
      {
        stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
      },
    )
    child = started
    alive.add(started)
    await new Promise<void>((done, failed) => {
      started.once('message', () => done())
      started.once('exit', (code) => failed(new Error(`the front ended with ${code}`)))
    })
  }
  await start()
  return {
    url,
    fault: async (fault) => {
      await fetch(`${url}/fault`, { method: 'POST', body: JSON.stringify(fault) })
    },
    kill: () => end('SIGKILL'),
    start,
    async remove() {
      await end('SIGKILL')
      compiled.remove()
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

function freePort(): Promise<number> {
  return new Promise((done) => {
    const server = createServer()
    server.listen(0, '127.0.0.1', () => {
      const address = server.address()
      server.close(() => done(typeof address === 'object' && address !== null ? address.port : 0))
    })
  })
}
