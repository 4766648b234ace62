import { readFileSync } from 'node:fs'
import { z } from 'zod'
import type { StoreOptions } from '../features/store/connection.ts'
import type { OriginOptions } from '../ingest/origin.ts'
import { type KafkaConfig, kafkaConfig, kafkaEnvironment } from './kafka-config.ts'

/**
 * Settings from the environment; command-line options win over them. Read once, by the composition root only. Every
 * problem is listed at once, with the name of the variable.
 */
const list = z.string().transform((text) =>
  text
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== ''),
)

const environment = z.object({
  PLUMBLINE_DATA: z.string().min(1).default('data'),
  PLUMBLINE_HOST: z.string().min(1).default('127.0.0.1'),
  PLUMBLINE_PORT: z.coerce.number().int().min(0).max(65535).default(8787),
  // A header carries nothing else: with a line break at its end, as files of secrets have it, nobody could ever show it.
  PLUMBLINE_TOKEN: z
    .string()
    .min(16, 'at least 16 characters')
    .regex(/^[\x21-\x7e]*$/, 'printable ASCII without spaces and line breaks')
    .optional(),
  PLUMBLINE_BUDGET: z.coerce.number().positive().max(1000).default(1),
  PLUMBLINE_LOG_LEVEL: z.enum(['trace', 'debug', 'info', 'warn', 'error', 'silent']).default('info'),
  PLUMBLINE_RETENTION_MONTHS: z.coerce.number().int().positive().optional(),
  PLUMBLINE_REPLICATED: z.enum(['true', 'false']).default('false'),
  PLUMBLINE_CITY_DATABASE: z.string().optional(),
  PLUMBLINE_COUNTRY_DATABASE: z.string().optional(),
  PLUMBLINE_ASN_DATABASE: z.string().optional(),
  PLUMBLINE_CLOUD_RANGES: list.optional(),
  CLICKHOUSE_URL: z.url().optional(),
  CLICKHOUSE_USER: z.string().optional(),
  CLICKHOUSE_PASSWORD: z.string().optional(),
  CLICKHOUSE_DATABASE: z.string().optional(),
  ...kafkaEnvironment,
})

export interface Config {
  readonly data: string
  readonly host: string
  readonly port: number
  readonly token: string | undefined
  readonly alertsPerDay: number
  readonly logLevel: string
  readonly store: StoreOptions
  readonly origins: OriginOptions
  /** Undefined: no Kafka. */
  readonly kafka: KafkaConfig | undefined
}

export class ConfigError extends Error {
  readonly code = 'invalid-config'
}

/** Throws ConfigError that names every wrong variable. */
export function readConfig(env: Readonly<Record<string, string | undefined>>): Config {
  // An empty variable means "not set": that is how compose files and CI leave things out.
  const parsed = environment.safeParse(
    Object.fromEntries(Object.entries(env).filter(([, value]) => value !== '')),
  )
  if (!parsed.success)
    throw invalid(parsed.error.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`))
  const e = parsed.data
  const problems: string[] = []
  const kafka = kafkaConfig(e, problems)
  if (problems.length > 0) throw invalid(problems)
  return {
    data: e.PLUMBLINE_DATA,
    host: e.PLUMBLINE_HOST,
    port: e.PLUMBLINE_PORT,
    token: e.PLUMBLINE_TOKEN,
    alertsPerDay: e.PLUMBLINE_BUDGET,
    logLevel: e.PLUMBLINE_LOG_LEVEL,
    store: {
      path: e.PLUMBLINE_DATA,
      url: e.CLICKHOUSE_URL,
      username: e.CLICKHOUSE_USER,
      password: e.CLICKHOUSE_PASSWORD,
      database: e.CLICKHOUSE_DATABASE,
      replicated: e.PLUMBLINE_REPLICATED === 'true',
      retentionMonths: e.PLUMBLINE_RETENTION_MONTHS,
    },
    origins: {
      cityDatabase: e.PLUMBLINE_CITY_DATABASE,
      countryDatabase: e.PLUMBLINE_COUNTRY_DATABASE,
      asnDatabase: e.PLUMBLINE_ASN_DATABASE,
      cloudRanges: e.PLUMBLINE_CLOUD_RANGES,
    },
    kafka,
  }
}

const invalid = (problems: readonly string[]): ConfigError =>
  new ConfigError(`Settings are invalid:\n  ${problems.join('\n  ')}`)

const manifest = z.object({ version: z.string() })

/** Version of this package. */
export function productVersion(): string {
  // From api/ in the sources and from dist/api/ when built.
  for (const up of ['../package.json', '../../package.json']) {
    try {
      return manifest.parse(JSON.parse(readFileSync(new URL(up, import.meta.url), 'utf8'))).version
    } catch {
      // the other place
    }
  }
  return '0.0.0'
}
