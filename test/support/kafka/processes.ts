import { type ChildProcess, spawn } from 'node:child_process'
import { join, resolve } from 'node:path'
import { createInterface } from 'node:readline'

const PLUMBLINE = join(resolve(import.meta.dirname, '../../..'), 'dist/api/cli/main.js')

/** `plumbline serve`, as it is built, in a process of its own. */
export interface PlumblineProcess {
  readonly role: string
  /** `http://host:port` of its API. */
  readonly address: string
  readonly running: boolean
  /** What it logged, without what is normal. */
  readonly log: readonly string[]
  /** Resolves with the exit code. */
  readonly ended: Promise<number | null>
  kill(signal?: NodeJS.Signals): Promise<number | null>
}

const alive = new Set<ChildProcess>()
process.on('exit', () => {
  for (const child of alive) child.kill('SIGKILL')
})

const LOG_LINES = 400

export async function startPlumbline(
  role: string,
  environment: Readonly<Record<string, string>>,
  args: readonly string[] = [],
): Promise<PlumblineProcess> {
  const child = spawn(process.execPath, [PLUMBLINE, 'serve', '--port', '0', '--role', role, ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, PLUMBLINE_LOG_LEVEL: 'info', ...environment },
  })
  alive.add(child)
  const log: string[] = []
  createInterface({ input: child.stderr }).on('line', (line) => {
    log.push(line)
    if (log.length > LOG_LINES) log.shift()
  })
  const ended = new Promise<number | null>((done) => {
    child.once('exit', (code) => {
      alive.delete(child)
      done(code)
    })
  })
  const address = await new Promise<string>((done, failed) => {
    createInterface({ input: child.stdout }).on('line', (line) => {
      const found = /listens on (http:\S+)/.exec(line)?.[1]
      if (found !== undefined) done(found)
    })
    ended.then((code) =>
      failed(new Error(`plumbline ended with ${code} before it listened:\n${log.join('\n')}`)),
    )
  })
  return {
    role,
    address,
    log,
    ended,
    get running() {
      return child.exitCode === null && child.signalCode === null
    },
    async kill(signal = 'SIGKILL') {
      child.kill(signal)
      return ended
    },
  }
}
