import { realpath, stat } from 'node:fs/promises'
import { isIPv6 } from 'node:net'
import { dirname, relative, resolve, sep } from 'node:path'
import type { Config } from './config.ts'
import { openEngine } from './engine.ts'
import { createFolderWatch } from './folder-watch.ts'
import { createIntake } from './intake.ts'
import type { Logger } from './logger.ts'
import { createMetrics } from './metrics.ts'
import { openAlertSink } from './outputs/alert-file.ts'
import { createServer } from './server.ts'

/** The running service: engine, intake, watched folders and HTTP, started in order and stopped in the reverse one. */
export interface Service {
  /** `http://host:port`. */
  readonly address: string
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
}

export class ServiceError extends Error {
  readonly code: 'watch-not-a-folder' | 'watch-loop' | 'address-unavailable'

  constructor(code: ServiceError['code'], message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause })
    this.name = 'ServiceError'
    this.code = code
  }
}

/** Requests under way when the service is told to stop have this long. */
const REQUEST_GRACE_MS = 15_000

/** Throws ServiceError, and what engine and sink throw; whatever was opened before is closed again. */
export async function startService(config: Config, options: ServiceOptions): Promise<Service> {
  const { logger, version } = options
  await checkFolders(config, options)
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
  try {
    const sink = options.alerts === undefined ? null : await openAlertSink(options.alerts, version)
    if (sink !== null) opened.push(() => sink.close())
    const metrics = createMetrics()
    opened.push(async () => metrics.stop())
    const engine = await openEngine(config, {
      includePeople: options.includePeople,
      publish: async (alerts) => {
        await sink?.write(alerts)
        metrics.alerts(alerts)
        for (const { alert, change } of alerts)
          logger.info({ alert: alert.uid, change, severity: alert.severity }, 'alert')
      },
    })
    opened.push(() => engine.close())
    const intake = createIntake({ engine, metrics, logger })
    opened.push(() => intake.close())
    const { maxBodyBytes } = options
    const app = createServer({ engine, intake, metrics, logger, version, token: config.token, maxBodyBytes })
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
    if (options.watch.length > 0) {
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
    const bound = app.server.address()
    const port = typeof bound === 'object' && bound !== null ? bound.port : config.port
    return { address: `http://${isIPv6(config.host) ? `[${config.host}]` : config.host}:${port}`, stop }
  } catch (error) {
    await stop().catch(() => {})
    throw error
  }
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
