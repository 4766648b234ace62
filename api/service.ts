import { realpath, stat } from 'node:fs/promises'
import { isIPv6 } from 'node:net'
import { dirname, relative, resolve, sep } from 'node:path'
import type { Config } from './config.ts'
import { type EngineOptions, openParts, startEngine } from './engine.ts'
import { createFolderWatch } from './folder-watch.ts'
import { createIntake, type Intake } from './intake.ts'
import { type KafkaService, type KeyedOptions, openKafkaService, type Role } from './kafka-service.ts'
import type { Logger } from './logger.ts'
import { createMetrics, type Metrics } from './metrics.ts'
import { openAlertSink } from './outputs/alert-file.ts'
import type { PublishedAlert } from './pipeline.ts'
import { type Flow, silenceWatch } from './roles/flow.ts'
import { createServer, type ServerParts } from './server.ts'

/** The running service: engine, intake, watched folders and HTTP, started in order and stopped in the reverse one. */
export interface Service {
  /** `http://host:port`. */
  readonly address: string
  /** Resolves when a part of it gave up for good: the process must end with an error. */
  readonly failed: Promise<unknown>
  /** Stops accepting, finishes what was accepted, closes everything. */
  readonly stop: () => Promise<void>
}

export interface ServiceOptions {
  readonly logger: Logger
  readonly version: string
  readonly includePeople: boolean
  /** File for findings, `-` for standard output. */
  readonly alerts?: string | undefined
  readonly watch: readonly string[]
  readonly watchEveryMs: number
  readonly maxBodyBytes?: number | undefined
  /** With Kafka: what this process does. */
  readonly role: Role
}

export class ServiceError extends Error {
  readonly code: 'watch-not-a-folder' | 'watch-loop' | 'address-unavailable' | 'role-needs'

  constructor(code: ServiceError['code'], message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause })
    this.name = 'ServiceError'
    this.code = code
  }
}

/** Requests under way when the service is told to stop have this long. */
const REQUEST_GRACE_MS = 15_000
const SILENCE_CHECK_MS = 30_000

/** Throws ServiceError, and what engine and sink throw; whatever was opened before is closed again. */
export async function startService(config: Config, options: ServiceOptions): Promise<Service> {
  const { logger, version } = options
  await checkFolders(config, options)
  checkRole(config, options)
  const opened: (() => Promise<void>)[] = []
  const stop = async (): Promise<void> => {
    // Each is tried, whatever the others say: an open store keeps its lock.
    let failure: unknown
    for (const close of opened.splice(0).reverse())
      await close().catch((error: unknown) => {
        failure ??= error
      })
    if (failure !== undefined) throw failure
  }
  let fatal: (error: unknown) => void = () => {}
  const failed = new Promise<unknown>((resolve) => {
    fatal = resolve
  })
  try {
    const sink = options.alerts === undefined ? null : await openAlertSink(options.alerts, version)
    if (sink !== null) opened.push(() => sink.close())
    const metrics = createMetrics()
    opened.push(async () => metrics.stop())
    const kafka =
      config.kafka === undefined ? null : await openKafkaService(config.kafka, { logger, version, fatal })
    if (kafka !== null) opened.push(() => kafka.close())
    const publish = async (alerts: readonly PublishedAlert[]): Promise<void> => {
      await kafka?.publish(alerts)
      await sink?.write(alerts)
      metrics.alerts(alerts)
      for (const { alert, change } of alerts)
        logger.info({ alert: alert.uid, change, severity: alert.severity }, 'alert')
    }
    const { includePeople, role } = options
    const working = isKeyed(config, role)
      ? await openKeyed(config, { role, includePeople, publish, metrics }, kafka, opened)
      : await openWhole(config, { includePeople, publish, metrics, logger }, kafka, opened)
    const { engine, intake, flows } = working
    const { maxBodyBytes } = options
    const app = createServer({
      engine,
      intake,
      flows,
      metrics,
      logger,
      version,
      token: config.token,
      maxBodyBytes,
    })
    opened.push(async () => {
      // A client that goes on uploading must not hold us up: it was not answered, so it will send again.
      const grace = setTimeout(() => app.server.closeAllConnections(), REQUEST_GRACE_MS)
      await app.close()
      clearTimeout(grace)
    })
    try {
      await app.listen({ host: config.host, port: config.port })
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error)
      throw new ServiceError('address-unavailable', `Cannot listen: ${reason}`, error)
    }
    if (options.watch.length > 0 && intake !== undefined) {
      const watch = createFolderWatch({
        folders: options.watch,
        intake,
        store: engine.store,
        registry: engine.registry,
        logger,
        intervalMs: options.watchEveryMs,
      })
      watch.start()
      opened.push(() => watch.stop())
    }
    for (const flow of flows) {
      opened.push(() => flow.stop())
      await flow.start()
    }
    const listening = setInterval(silenceWatch(flows, logger), SILENCE_CHECK_MS)
    opened.push(async () => clearInterval(listening))
    const bound = app.server.address()
    const port = typeof bound === 'object' && bound !== null ? bound.port : config.port
    const host = isIPv6(config.host) ? `[${config.host}]` : config.host
    return { address: `http://${host}:${port}`, failed, stop }
  } catch (error) {
    await stop().catch(() => {})
    throw error
  }
}

interface Working {
  readonly engine: ServerParts['engine']
  readonly intake: Intake | undefined
  readonly flows: readonly Flow[]
}

type Opened = (() => Promise<void>)[]

/** One process does everything: one pipeline, which logs reach by HTTP, from folders and from Kafka. */
async function openWhole(
  config: Config,
  { logger, metrics, ...options }: EngineOptions & { readonly metrics: Metrics; readonly logger: Logger },
  kafka: KafkaService | null,
  opened: Opened,
): Promise<Working> {
  const parts = await openParts(config)
  const engine = await startEngine(parts, options).catch(async (error: unknown) => {
    await parts.store.close()
    throw error
  })
  opened.push(() => engine.close())
  const intake = createIntake({ engine, metrics, logger })
  opened.push(() => intake.close())
  return { engine, intake, flows: kafka === null ? [] : [kafka.direct(parts, intake)] }
}

/** A part of the keyed topology: logs come by Kafka only, and each partition has a pipeline of its own. */
async function openKeyed(
  config: Config,
  { role, ...options }: KeyedOptions & { readonly role: Role },
  kafka: KafkaService | null,
  opened: Opened,
): Promise<Working> {
  const parts = await openParts(config)
  opened.push(() => parts.store.close())
  const flows = (await kafka?.keyed(role, parts, options)) ?? []
  const identities = (): number => flows.reduce((sum, flow) => sum + (flow.identities?.() ?? 0), 0)
  return { engine: { ...parts, restored: () => true, identities }, intake: undefined, flows }
}

const isKeyed = ({ kafka }: Config, role: Role): boolean =>
  kafka !== undefined && (role !== 'all' || kafka.topology === 'keyed')

function checkRole(config: Config, { role, watch }: ServiceOptions): void {
  if (role !== 'all' && config.kafka === undefined)
    throw new ServiceError('role-needs', `--role ${role} works on Kafka: set KAFKA_BROKERS`)
  if (role !== 'all' && config.store.url === undefined)
    throw new ServiceError(
      'role-needs',
      `--role ${role} shares its store with other processes: set CLICKHOUSE_URL, because the embedded engine serves one process`,
    )
  if (isKeyed(config, role) && watch.length > 0)
    throw new ServiceError(
      'role-needs',
      '--watch needs the direct topology: send the files to a raw topic instead',
    )
}

/** Folders must be there, and must not hold what we write ourselves: our findings would come back as logs for ever. */
async function checkFolders(config: Config, { watch, alerts }: ServiceOptions): Promise<void> {
  const written = config.store.url === undefined ? [resolve(config.data)] : []
  if (alerts !== undefined && alerts !== '-') written.push(resolve(alerts))
  for (const folder of watch) {
    const about = await stat(folder).catch(() => undefined)
    if (about?.isDirectory() !== true)
      throw new ServiceError('watch-not-a-folder', `--watch ${folder}: there is no such folder`)
    const real = await realpath(folder)
    for (const path of written) {
      const target = await realOf(path)
      const inside = relative(real, target)
      if (
        inside === '' ||
        (inside !== '..' && !inside.startsWith(`..${sep}`) && resolve(real, inside) === target)
      )
        throw new ServiceError(
          'watch-loop',
          `--watch ${folder} holds ${path}, which Plumbline writes itself: keep them apart`,
        )
    }
  }
}

/** Real path of something that need not be there yet. */
async function realOf(path: string): Promise<string> {
  const real = await realpath(path).catch(() => undefined)
  if (real !== undefined) return real
  const parent = dirname(path)
  return parent === path ? path : resolve(await realOf(parent), relative(parent, path))
}
