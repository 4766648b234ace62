import { type Command, Option } from 'commander'
import { refuseOpenBinding } from '../access.ts'
import { productVersion, readConfig } from '../config.ts'
import { ROLES } from '../kafka-service.ts'
import { createLogger } from '../logger.ts'
import { startService } from '../service.ts'
import { EXIT } from './exit.ts'

interface ServeOptions {
  readonly data?: string
  readonly host?: string
  readonly port?: string
  readonly watch: readonly string[]
  readonly watchEvery: string
  readonly budget?: string
  readonly includePeople?: boolean
  readonly alerts?: string
  readonly maxBody: string
  readonly role: string
}

/** Time to finish what was accepted once told to stop. */
const DRAIN_MS = 30_000
const MIB = 1024 * 1024

/** `plumbline serve`: takes logs over HTTP and from watched folders, and answers questions about what it found. */
export function registerServe(program: Command): void {
  program
    .command('serve')
    .description('take logs over HTTP and from watched folders; answer over HTTP')
    .option('--data <dir>', 'data directory of the embedded store')
    .option('--host <address>', 'address to listen on; other than loopback needs PLUMBLINE_TOKEN')
    .option('--port <n>', 'port to listen on; 0 takes a free one')
    .option('--watch <dir>', 'read log files of this folder as they grow; may be repeated', collect, [])
    .option('--watch-every <seconds>', 'how often watched folders are looked at', '5')
    .option('--budget <n>', 'alerts per day for the whole estate')
    .option('--include-people', 'score people too')
    .option('--alerts <file>', 'append alerts as OCSF Detection Findings, one a line; - for standard output')
    .option('--max-body <mib>', 'largest request, uncompressed, in MiB', '256')
    .addOption(
      new Option('--role <role>', 'with KAFKA_BROKERS: what this process does')
        .choices([...ROLES])
        .default('all'),
    )
    .action(async (options: ServeOptions) => {
      process.exitCode = await serve(options)
    })
}

const collect = (value: string, before: readonly string[]): readonly string[] => [...before, value]

async function serve(options: ServeOptions): Promise<number> {
  const config = readConfig({ ...process.env, ...given(options) })
  refuseOpenBinding(config.host, config.token)
  const logger = createLogger(config.logLevel)
  const service = await startService(config, {
    logger,
    version: productVersion(),
    includePeople: options.includePeople === true,
    alerts: options.alerts,
    watch: options.watch,
    watchEveryMs: numberOption('--watch-every', options.watchEvery, { from: 0.1, to: 3600 }) * 1000,
    role: ROLES.find((role) => role === options.role) ?? 'all',
    maxBodyBytes: Math.round(numberOption('--max-body', options.maxBody, { from: 0.001, to: 16_384 }) * MIB),
  })
  // Findings may own standard output: everything for people goes elsewhere then.
  const out = options.alerts === '-' ? process.stderr : process.stdout
  out.write(`plumbline listens on ${service.address}\n`)
  for (const folder of options.watch) out.write(`plumbline watches ${folder}\n`)
  const end = await Promise.race([
    untilStopped().then((signal) => ({ signal })),
    service.failed.then((error) => ({ error })),
  ])
  if ('error' in end) logger.error({ err: end.error }, 'a part of the service gave up: stopping')
  else logger.info({ signal: end.signal }, 'stopping: what was accepted is finished first')
  // Whoever asks twice does not want to wait.
  process.once('SIGINT', () => process.exit(EXIT.cannot))
  process.once('SIGTERM', () => process.exit(EXIT.cannot))
  const deadline = setTimeout(() => {
    logger.error(
      { code: 'drain-timeout' },
      'not finished in time; what was not acknowledged has to be sent again',
    )
    process.exit(EXIT.incomplete)
  }, DRAIN_MS)
  await service.stop()
  clearTimeout(deadline)
  logger.info('stopped')
  return 'error' in end ? EXIT.cannot : EXIT.ok
}

function given({ data, host, port, budget }: ServeOptions): Record<string, string> {
  return {
    ...(data === undefined ? {} : { PLUMBLINE_DATA: data }),
    ...(host === undefined ? {} : { PLUMBLINE_HOST: host }),
    ...(port === undefined ? {} : { PLUMBLINE_PORT: port }),
    ...(budget === undefined ? {} : { PLUMBLINE_BUDGET: budget }),
  }
}

function numberOption(
  name: string,
  text: string,
  { from, to }: { readonly from: number; readonly to: number },
): number {
  const value = Number(text)
  if (text.trim() === '' || !(value >= from && value <= to))
    throw Object.assign(new Error(`${name} ${text}: a number from ${from} to ${to} is needed`), {
      code: 'invalid-option',
    })
  return value
}

function untilStopped(): Promise<NodeJS.Signals> {
  return new Promise((resolve) => {
    const stop = (signal: NodeJS.Signals): void => {
      process.off('SIGINT', stop).off('SIGTERM', stop)
      resolve(signal)
    }
    process.on('SIGINT', stop).on('SIGTERM', stop)
  })
}
