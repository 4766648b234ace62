import { type ChildProcess, execFile, spawn } from 'node:child_process'
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'

/**
 * A real Apache Kafka broker (KRaft, one node) for tests. The jars are assembled once by Maven into `.cache/`; each broker has
 * free ports and a directory of its own, and dies with the process that started it.
 */
export interface KafkaBroker {
  /** `host:port` without encryption or authentication. */
  readonly address: string
  /** `host:port` of the listener asked for by `secure`, or ''. */
  readonly secureAddress: string
  readonly log: string
  /** Ends it as an operator would. `start` brings it back with its data on the same ports. */
  stop(): Promise<void>
  kill(): Promise<void>
  start(): Promise<void>
  /** Ends it and removes its data. */
  remove(): Promise<void>
}

export interface KafkaBrokerOptions {
  /** Lines for `server.properties`. */
  readonly properties?: Readonly<Record<string, string>>
  /** A second listener, `SASL_PLAINTEXT` or `SASL_SSL`; its own settings come in `properties`. */
  readonly secure?: 'SASL_PLAINTEXT' | 'SASL_SSL' | 'SSL'
  /** Further arguments for formatting: `--add-scram …`. */
  readonly format?: readonly string[]
}

const VERSION = '4.1.0'
const ROOT = resolve(import.meta.dirname, '../../..')
const CACHE = join(ROOT, '.cache', `kafka-${VERSION}`)
export const KAFKA_LIBS = join(CACHE, 'libs')
const run = promisify(execFile)
const START_MS = 60_000

/** False, loudly, on a machine without Java or Maven; in CI that is an error. */
export async function kafkaAvailable(): Promise<boolean> {
  try {
    await run('java', ['-version'])
    await assemble()
    return true
  } catch (error) {
    const reason = error instanceof Error ? error.message.split('\n')[0] : String(error)
    if (process.env.CI !== undefined) throw new Error(`CI needs Java and Maven for Kafka: ${reason}`)
    console.warn(`SKIPPED: tests against Apache Kafka, which need Java 17 and Maven (${reason})`)
    return false
  }
}

/** Fetches the jars unless they are there. Two processes at once each make their own and one wins. */
async function assemble(): Promise<void> {
  if (existsSync(KAFKA_LIBS)) return
  mkdirSync(CACHE, { recursive: true })
  const made = mkdtempSync(join(CACHE, 'making-'))
  await run('mvn', [
    '-q',
    '-B',
    '-f',
    join(import.meta.dirname, 'pom.xml'),
    'dependency:copy-dependencies',
    `-DoutputDirectory=${join(made, 'libs')}`,
  ])
  try {
    renameSync(join(made, 'libs'), KAFKA_LIBS)
  } catch (error) {
    if (!existsSync(KAFKA_LIBS)) throw error
  }
  rmSync(made, { recursive: true, force: true })
}

const alive = new Set<ChildProcess>()
process.on('exit', () => {
  for (const child of alive) child.kill('SIGKILL')
})

export async function startBroker(options: KafkaBrokerOptions = {}): Promise<KafkaBroker> {
  await assemble()
  const home = mkdtempSync(join(tmpdir(), 'plumbline-kafka-'))
  const [port, controller, secure] = await freePorts(3)
  const log = join(home, 'broker.log')
  const configuration = join(home, 'server.properties')
  const listeners = [`PLAINTEXT://127.0.0.1:${port}`, `CONTROLLER://127.0.0.1:${controller}`]
  const advertised = [`PLAINTEXT://127.0.0.1:${port}`]
  if (options.secure !== undefined) {
    listeners.push(`${options.secure}://127.0.0.1:${secure}`)
    advertised.push(`${options.secure}://127.0.0.1:${secure}`)
  }
  const properties: Record<string, string> = {
    'process.roles': 'broker,controller',
    'node.id': '1',
    'controller.quorum.voters': `1@127.0.0.1:${controller}`,
    listeners: listeners.join(','),
    'advertised.listeners': advertised.join(','),
    'listener.security.protocol.map':
      'PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,SSL:SSL,SASL_PLAINTEXT:SASL_PLAINTEXT,SASL_SSL:SASL_SSL',
    'inter.broker.listener.name': 'PLAINTEXT',
    'controller.listener.names': 'CONTROLLER',
    'log.dirs': join(home, 'data'),
    'offsets.topic.replication.factor': '1',
    'offsets.topic.num.partitions': '4',
    'transaction.state.log.replication.factor': '1',
    'transaction.state.log.min.isr': '1',
    'group.initial.rebalance.delay.ms': '0',
    'group.min.session.timeout.ms': '1000',
    'auto.create.topics.enable': 'false',
    ...options.properties,
  }
  writeFileSync(
    configuration,
    Object.entries(properties)
      .map(([name, value]) => `${name}=${value}\n`)
      .join(''),
  )
  const java = ['-Xmx512m', '-Dorg.slf4j.simpleLogger.defaultLogLevel=warn', '-cp', `${KAFKA_LIBS}/*`]
  const { stdout } = await run('java', [...java, 'kafka.tools.StorageTool', 'random-uuid'])
  await run('java', [
    ...java,
    'kafka.tools.StorageTool',
    'format',
    '-t',
    stdout.trim(),
    '-c',
    configuration,
    ...(options.format ?? []),
  ])
  let child: ChildProcess | undefined
  const end = async (signal: NodeJS.Signals): Promise<void> => {
    const ended = child
    child = undefined
    if (ended === undefined) return
    const closed = new Promise((done) => ended.once('exit', done))
    ended.kill(signal)
    await closed
    alive.delete(ended)
  }
  const start = async (): Promise<void> => {
    const out = openSync(log, 'a')
    const started = spawn('java', [...java, 'kafka.Kafka', configuration], { stdio: ['ignore', out, out] })
    child = started
    alive.add(started)
    const deadline = performance.now() + START_MS
    while (!(await listens(port))) {
      if (started.exitCode !== null || performance.now() > deadline)
        throw new Error(`Kafka did not start:\n${readFileSync(log, 'utf8').slice(-2000)}`)
      await sleep(100)
    }
  }
  await start()
  return {
    address: `127.0.0.1:${port}`,
    secureAddress: options.secure === undefined ? '' : `127.0.0.1:${secure}`,
    log,
    stop: () => end('SIGTERM'),
    kill: () => end('SIGKILL'),
    start,
    async remove() {
      await end('SIGKILL')
      rmSync(home, { recursive: true, force: true })
    },
  }
}

async function freePorts(count: number): Promise<number[]> {
  const servers = await Promise.all(
    Array.from(
      { length: count },
      () =>
        new Promise<ReturnType<typeof createServer>>((done) => {
          const server = createServer()
          server.listen(0, '127.0.0.1', () => done(server))
        }),
    ),
  )
  const ports = servers.map((server) => {
    const address = server.address()
    return typeof address === 'object' && address !== null ? address.port : 0
  })
  await Promise.all(servers.map((server) => new Promise((done) => server.close(done))))
  return ports
}

/** The broker opens its port once it has caught up with its own log, and answers from then on. */
function listens(port: number | undefined): Promise<boolean> {
  return new Promise((done) => {
    const socket = connect(port ?? 0, '127.0.0.1')
    socket.once('connect', () => {
      socket.destroy()
      done(true)
    })
    socket.once('error', () => done(false))
  })
}
