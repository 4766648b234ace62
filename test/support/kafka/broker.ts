import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { randomBytes, randomInt } from 'node:crypto'
import { once } from 'node:events'
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import { Kafka, logLevel } from 'kafkajs'
import { assembleKafka, KAFKA_LIBS } from './jars.ts'
import { guardedListener, type KafkaSecurity, type Protocol } from './security.ts'

export { KAFKA_LIBS, kafkaAvailable } from './jars.ts'

/**
 * A real Apache Kafka broker (KRaft, one node) for tests. Each has free ports and a directory of its own, and does not outlive
 * the process that started it, however that one ends.
 */
export interface KafkaBroker {
  /** `host:port` without encryption or authentication. */
  readonly address: string
  /** `host:port` of the listener asked for by `secure`, or ''. */
  readonly secureAddress: string
  /** What a client of the secure listener needs; users are in `security.ts`. */
  readonly security: KafkaSecurity
  /** Path of what the broker said. */
  readonly log: string
  readonly dataDir: string
  /** Of the Java process; undefined while it is down. */
  readonly pid: number | undefined
  /** Ends it as an operator would. `start` brings it back with its data on the same ports. */
  stop(): Promise<void>
  kill(): Promise<void>
  /** Ready when it answers with itself as a broker that takes work. Does nothing when it runs. */
  start(): Promise<void>
  /** It hangs: connections stay open and nobody answers. */
  pause(): void
  resume(): void
  /** Ends it and removes its data. */
  remove(): Promise<void>
}

export interface KafkaBrokerOptions {
  /** Of topics that are created without saying how many. */
  readonly partitions?: number
  /** Lines for `server.properties`. */
  readonly properties?: Readonly<Record<string, string>>
  /** A second listener with TLS, SASL (PLAIN, SCRAM-SHA-256, SCRAM-SHA-512, OAUTHBEARER) or both. */
  readonly secure?: Protocol
  /** Further arguments for formatting: `--add-scram …`. */
  readonly format?: readonly string[]
}

const START_MS = 60_000
const STOP_MS = 30_000
const POLL_MS = 50
const LOG_TAIL = 3000
const run = promisify(execFile)
const java = (megabytes: number, ...args: readonly string[]): string[] => [
  `-Xmx${megabytes}m`,
  '-XX:+UseSerialGC',
  '-Dorg.slf4j.simpleLogger.defaultLogLevel=warn',
  '-cp',
  `${KAFKA_LIBS}/*`,
  ...args,
]

const alive = new Set<ChildProcess>()
process.on('exit', () => {
  for (const child of alive) child.kill('SIGKILL')
})

export async function startBroker(options: KafkaBrokerOptions = {}): Promise<KafkaBroker> {
  await assembleKafka()
  const home = mkdtempSync(join(tmpdir(), 'plumbline-kafka-'))
  try {
    const broker = await createBroker(home, options)
    await broker.start()
    return broker
  } catch (error) {
    rmSync(home, { recursive: true, force: true })
    throw error
  }
}

async function createBroker(home: string, options: KafkaBrokerOptions): Promise<KafkaBroker> {
  const [port = 0, controller = 0, secure = 0] = await freePorts(3)
  const address = `127.0.0.1:${port}`
  const log = join(home, 'broker.log')
  const dataDir = join(home, 'data')
  const configuration = join(home, 'server.properties')
  const guarded = options.secure === undefined ? undefined : await guardedListener(options.secure, home)
  const advertised = [`PLAINTEXT://${address}`]
  if (options.secure !== undefined) advertised.push(`${options.secure}://127.0.0.1:${secure}`)
  const properties: Record<string, string> = {
    'process.roles': 'broker,controller',
    'node.id': '1',
    'controller.quorum.voters': `1@127.0.0.1:${controller}`,
    listeners: [...advertised, `CONTROLLER://127.0.0.1:${controller}`].join(','),
    'advertised.listeners': advertised.join(','),
    'listener.security.protocol.map':
      'PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,SSL:SSL,SASL_PLAINTEXT:SASL_PLAINTEXT,SASL_SSL:SASL_SSL',
    'inter.broker.listener.name': 'PLAINTEXT',
    'controller.listener.names': 'CONTROLLER',
    'log.dirs': dataDir,
    'num.partitions': String(options.partitions ?? 1),
    'offsets.topic.replication.factor': '1',
    'offsets.topic.num.partitions': '4',
    'transaction.state.log.replication.factor': '1',
    'transaction.state.log.min.isr': '1',
    'group.initial.rebalance.delay.ms': '0',
    'group.min.session.timeout.ms': '1000',
    // A broker that was killed may register again only when its controller has given up the former one: 9 s by default.
    'broker.session.timeout.ms': '3000',
    'broker.heartbeat.interval.ms': '500',
    'auto.create.topics.enable': 'false',
    ...guarded?.properties,
    ...options.properties,
  }
  writeFileSync(
    configuration,
    Object.entries(properties)
      .map(([name, value]) => `${name}=${value}\n`)
      .join(''),
  )
  // Ids are 16 bytes in base64url; one that began with a dash would be read as an option.
  const id = `A${randomBytes(16).toString('base64url').slice(1)}`
  const format = ['kafka.tools.StorageTool', 'format', '-t', id, '-c', configuration]
  await run('java', java(128, ...format, ...(guarded?.format ?? []), ...(options.format ?? [])))

  let child: ChildProcess | undefined
  const end = async (signal: NodeJS.Signals): Promise<void> => {
    const ended = child
    child = undefined
    if (ended === undefined || hasEnded(ended)) return
    const exit = once(ended, 'exit')
    // A process that stands still would take the signal only after going on.
    ended.kill('SIGCONT')
    ended.kill(signal)
    const patience = setTimeout(() => ended.kill('SIGKILL'), STOP_MS)
    await exit
    clearTimeout(patience)
  }
  return {
    address,
    secureAddress: options.secure === undefined ? '' : `127.0.0.1:${secure}`,
    security: guarded?.security ?? { ca: '', cert: '', key: '' },
    log,
    dataDir,
    get pid() {
      return child === undefined || hasEnded(child) ? undefined : child.pid
    },
    stop: () => end('SIGTERM'),
    kill: () => end('SIGKILL'),
    async start() {
      if (child !== undefined && !hasEnded(child)) return
      const out = openSync(log, 'a')
      const started = spawn('java', java(512, 'kafka.Kafka', configuration), { stdio: ['ignore', out, out] })
      closeSync(out)
      child = started
      guard(started, home)
      try {
        await ready(started, port)
      } catch (error) {
        await end('SIGKILL')
        const said = readFileSync(log, 'utf8').slice(-LOG_TAIL)
        throw new Error(`Kafka did not start:\n${said}`, { cause: error })
      }
    },
    pause: () => child?.kill('SIGSTOP'),
    resume: () => child?.kill('SIGCONT'),
    async remove() {
      await end('SIGKILL')
      rmSync(home, { recursive: true, force: true })
    },
  }
}

const hasEnded = (child: ChildProcess): boolean => child.exitCode !== null || child.signalCode !== null

/**
 * No broker without the test that started it. A shell waits for the end of a pipe that only this process holds, which comes
 * even after `kill -9`, and then ends the broker and removes its directory.
 */
function guard(child: ChildProcess, home: string): void {
  alive.add(child)
  const script =
    'cat; kill -9 "$1"; for i in 1 2 3 4 5 6 7 8 9 10; do kill -0 "$1" || break; sleep 0.1; done; rm -rf "$2"'
  const shell = spawn('sh', ['-c', script, 'sh', String(child.pid), home], {
    stdio: ['pipe', 'ignore', 'ignore'],
    // Of its own session, so that Ctrl-C does not end it first.
    detached: true,
  })
  shell.unref()
  child.once('exit', () => {
    alive.delete(child)
    shell.kill('SIGKILL')
  })
}

async function ready(child: ChildProcess, port: number): Promise<void> {
  const deadline = performance.now() + START_MS
  let failed: Error | undefined
  child.once('error', (error) => {
    failed = error
  })
  for (;;) {
    if (failed !== undefined) throw failed
    if (hasEnded(child)) throw new Error(`it ended with ${child.exitCode ?? child.signalCode}`)
    if ((await listens(port)) && (await answers(port))) return
    if (performance.now() > deadline) throw new Error(`no answer after ${START_MS} ms`)
    await sleep(POLL_MS)
  }
}

function listens(port: number): Promise<boolean> {
  return new Promise((done) => {
    const socket = connect(port, '127.0.0.1')
    socket.once('connect', () => {
      socket.destroy()
      done(true)
    })
    socket.once('error', () => done(false))
  })
}

/** Metadata name the broker and a controller: topics can be made. */
async function answers(port: number): Promise<boolean> {
  const admin = new Kafka({
    brokers: [`127.0.0.1:${port}`],
    clientId: 'ready',
    logLevel: logLevel.NOTHING,
    connectionTimeout: 2000,
    requestTimeout: 2000,
    retry: { retries: 0 },
  }).admin()
  try {
    await admin.connect()
    const { brokers, controller } = await admin.describeCluster()
    return brokers.length === 1 && controller !== null
  } catch {
    return false
  } finally {
    await admin.disconnect()
  }
}

/**
 * Below the range from which systems take the ports of outgoing connections: a client that knocks at a stopped broker's port
 * could otherwise be given that very port, talk to itself, and keep the broker from coming back.
 */
async function freePorts(count: number): Promise<number[]> {
  const ports = new Set<number>()
  while (ports.size < count) {
    const port = randomInt(12_000, 32_000)
    if (await isFree(port)) ports.add(port)
  }
  return [...ports]
}

function isFree(port: number): Promise<boolean> {
  return new Promise((done) => {
    const server = createServer()
    server.once('error', () => done(false))
    server.listen(port, '127.0.0.1', () => server.close(() => done(true)))
  })
}
