import { readFileSync } from 'node:fs'
import { z } from 'zod'

/** Settings for Kafka, from the environment. Nothing of it counts without `KAFKA_BROKERS`. */
const flag = z.enum(['true', 'false']).transform((text) => text === 'true')

export const kafkaEnvironment = {
  KAFKA_BROKERS: z
    .string()
    .regex(/^[^\s,:]+:\d+(\s*,\s*[^\s,:]+:\d+)*$/, 'host:port, several separated by commas')
    .transform((text) => text.split(',').map((part) => part.trim()))
    .optional(),
  KAFKA_CLIENT_ID: z.string().min(1).default('plumbline'),
  KAFKA_TLS: flag.default(false),
  KAFKA_TLS_CA: z.string().optional(),
  KAFKA_TLS_CERT: z.string().optional(),
  KAFKA_TLS_KEY: z.string().optional(),
  KAFKA_SASL_MECHANISM: z
    .enum(['plain', 'scram-sha-256', 'scram-sha-512', 'oauthbearer', 'aws-msk-iam'])
    .optional(),
  KAFKA_SASL_USERNAME: z.string().optional(),
  KAFKA_SASL_PASSWORD: z.string().optional(),
  KAFKA_OAUTH_TOKEN_URL: z.url().optional(),
  KAFKA_OAUTH_CLIENT_ID: z.string().optional(),
  KAFKA_OAUTH_CLIENT_SECRET: z.string().optional(),
  KAFKA_OAUTH_SCOPE: z.string().optional(),
  KAFKA_AWS_REGION: z.string().optional(),
  KAFKA_SESSION_MS: z.coerce.number().int().min(1000).max(300_000).default(30_000),
  PLUMBLINE_TOPIC_PREFIX: z
    .string()
    .regex(/^[\w.-]{1,200}$/, 'letters, digits, dot, dash and underscore')
    .default('plumbline'),
  PLUMBLINE_RAW_TOPICS: z
    .string()
    .regex(/^[^=,\s]+=[a-z0-9-]+(,[^=,\s]+=[a-z0-9-]+)*$/, 'topic=source, several separated by commas')
    .optional(),
  PLUMBLINE_TOPOLOGY: z.enum(['direct', 'keyed']).default('direct'),
  PLUMBLINE_PARTITIONS: z.coerce.number().int().min(1).max(1024).default(12),
  PLUMBLINE_BATCH_INTERVAL_MS: z.coerce.number().int().min(0).max(1000).default(250),
} as const

const environment = z.object(kafkaEnvironment)
type Environment = z.infer<typeof environment>

export type SaslSettings =
  | {
      readonly mechanism: 'plain' | 'scram-sha-256' | 'scram-sha-512'
      readonly username: string
      readonly password: string
    }
  | {
      readonly mechanism: 'oauthbearer'
      readonly tokenUrl: string
      readonly clientId: string
      readonly clientSecret: string
      readonly scope: string | undefined
    }
  | { readonly mechanism: 'aws-msk-iam'; readonly region: string }

export interface KafkaConfig {
  readonly brokers: readonly string[]
  readonly clientId: string
  readonly tls:
    | {
        readonly ca?: string | undefined
        readonly cert?: string | undefined
        readonly key?: string | undefined
      }
    | undefined
  readonly sasl: SaslSettings | undefined
  readonly sessionMs: number
  readonly topicPrefix: string
  readonly rawTopics: readonly { readonly topic: string; readonly source: string }[]
  readonly topology: 'direct' | 'keyed'
  /** Partitions of the activity topic when it has to be created. */
  readonly partitions: number
  readonly batchIntervalMs: number
}

/** Undefined without brokers. Appends to `problems` what does not fit together. */
export function kafkaConfig(e: Environment, problems: string[]): KafkaConfig | undefined {
  if (e.KAFKA_BROKERS === undefined) return undefined
  return {
    brokers: e.KAFKA_BROKERS,
    clientId: e.KAFKA_CLIENT_ID,
    tls: e.KAFKA_TLS
      ? {
          ca: pem('KAFKA_TLS_CA', e.KAFKA_TLS_CA, problems),
          cert: pem('KAFKA_TLS_CERT', e.KAFKA_TLS_CERT, problems),
          key: pem('KAFKA_TLS_KEY', e.KAFKA_TLS_KEY, problems),
        }
      : undefined,
    sasl: saslSettings(e, problems),
    sessionMs: e.KAFKA_SESSION_MS,
    topicPrefix: e.PLUMBLINE_TOPIC_PREFIX,
    rawTopics: (e.PLUMBLINE_RAW_TOPICS?.split(',') ?? []).map((pair) => {
      const [topic = '', source = ''] = pair.split('=')
      return { topic, source }
    }),
    topology: e.PLUMBLINE_TOPOLOGY,
    partitions: e.PLUMBLINE_PARTITIONS,
    batchIntervalMs: e.PLUMBLINE_BATCH_INTERVAL_MS,
  }
}

function pem(name: string, path: string | undefined, problems: string[]): string | undefined {
  if (path === undefined) return undefined
  try {
    return readFileSync(path, 'utf8')
  } catch {
    problems.push(`${name}: ${path} cannot be read`)
    return undefined
  }
}

function saslSettings(e: Environment, problems: string[]): SaslSettings | undefined {
  const mechanism = e.KAFKA_SASL_MECHANISM
  const need = (name: keyof Environment): string => {
    const value = e[name]
    if (typeof value === 'string') return value
    problems.push(`${name}: needed for KAFKA_SASL_MECHANISM=${mechanism}`)
    return ''
  }
  switch (mechanism) {
    case undefined:
      return undefined
    case 'oauthbearer':
      return {
        mechanism,
        tokenUrl: need('KAFKA_OAUTH_TOKEN_URL'),
        clientId: need('KAFKA_OAUTH_CLIENT_ID'),
        clientSecret: need('KAFKA_OAUTH_CLIENT_SECRET'),
        scope: e.KAFKA_OAUTH_SCOPE,
      }
    case 'aws-msk-iam':
      if (!e.KAFKA_TLS) problems.push('KAFKA_TLS: MSK takes IAM credentials over TLS only')
      return { mechanism, region: need('KAFKA_AWS_REGION') }
    default:
      // A password in the clear on the wire is readable by whoever is on the way.
      if (mechanism === 'plain' && !e.KAFKA_TLS && e.KAFKA_BROKERS?.some((broker) => !isLoopback(broker)))
        problems.push('KAFKA_TLS: SASL PLAIN without TLS would send the password in the clear')
      return { mechanism, username: need('KAFKA_SASL_USERNAME'), password: need('KAFKA_SASL_PASSWORD') }
  }
}

const isLoopback = (broker: string): boolean => /^(?:localhost|127\.\d+\.\d+\.\d+|\[::1\]):\d+$/.test(broker)
