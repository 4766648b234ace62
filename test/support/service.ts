import { type Engine, startEngine } from '../../api/engine.ts'
import { createIntake, type Intake } from '../../api/intake.ts'
import { createLogger, type Logger } from '../../api/logger.ts'
import { createMetrics, type Metrics } from '../../api/metrics.ts'
import type { PublishedAlert } from '../../api/pipeline.ts'
import { createServer } from '../../api/server.ts'
import { loadDetectors } from '../../detectors/detectors.ts'
import type { Store } from '../../features/store/connection.ts'
import { StoreError } from '../../features/store/store-error.ts'
import { createNormaliser } from '../../ingest/normalise.ts'
import { openOrigins } from '../../ingest/origin.ts'
import { loadSources } from '../../ingest/sources.ts'

/** The service of a test: everything real, on a store that can be told to fail. */
export interface TestService {
  readonly app: ReturnType<typeof createServer>
  readonly engine: Engine
  readonly intake: Intake
  readonly metrics: Metrics
  readonly published: PublishedAlert[]
  /** From now on the store refuses to write. */
  breakStore(): void
  mendStore(): void
  stop(): Promise<void>
}

export interface TestServiceOptions {
  readonly token?: string
  readonly maxBodyBytes?: number
  readonly running?: number
  readonly waiting?: number
  readonly retryMs?: number
}

/** Loopback, as a program on this machine would call. */
export const LOCAL = { host: '127.0.0.1:8787' } as const

export const silent: Logger = createLogger('silent')

export async function testService(store: Store, options: TestServiceOptions = {}): Promise<TestService> {
  let broken = false
  const refuse = (): void => {
    if (broken) throw new StoreError('store-write-failed', 'broken by the test')
  }
  const fragile: Store = {
    ...store,
    write: async (batch, late) => {
      refuse()
      await store.write(batch, late)
    },
    setCursor: async (name, value) => {
      refuse()
      await store.setCursor(name, value)
    },
  }
  const published: PublishedAlert[] = []
  const metrics = createMetrics()
  const engine = await startEngine(
    {
      store: fragile,
      registry: await loadSources(),
      detectors: await loadDetectors(),
      normalise: createNormaliser({ origins: await openOrigins() }),
      alertsPerDay: 1,
    },
    {
      includePeople: false,
      publish: async (alerts) => {
        published.push(...alerts)
        metrics.alerts(alerts)
      },
    },
  )
  const { running, waiting, retryMs } = options
  const intake = createIntake({ engine, metrics, logger: silent, running, waiting, retryMs })
  const app = createServer({
    engine,
    intake,
    metrics,
    logger: silent,
    version: '0.0.0-test',
    token: options.token,
    maxBodyBytes: options.maxBodyBytes,
  })
  return {
    app,
    engine,
    intake,
    metrics,
    published,
    breakStore: () => {
      broken = true
    },
    mendStore: () => {
      broken = false
    },
    stop: async () => {
      broken = false
      await app.close()
      await intake.close()
      metrics.stop()
    },
  }
}

const HOUR = 3_600_000
/** 2026-01-05, a Monday, 09:00 UTC. */
export const START = Date.UTC(2026, 0, 5, 9)

export interface TrailOptions {
  readonly time?: number
  readonly role?: string
  readonly name?: string
  readonly source?: string
  readonly parameters?: Readonly<Record<string, unknown>>
  readonly address?: string
}

/** One CloudTrail record of a role; equal ids are equal events. */
export function trail(id: string, options: TrailOptions = {}): Record<string, unknown> {
  const role = options.role ?? 'reader'
  return {
    eventVersion: '1.09',
    eventID: id,
    eventTime: new Date(options.time ?? START).toISOString().replace('.000Z', 'Z'),
    eventSource: options.source ?? 's3.amazonaws.com',
    eventName: options.name ?? 'ListBuckets',
    awsRegion: 'eu-central-1',
    sourceIPAddress: options.address ?? '198.51.100.7',
    userAgent: 'Boto3/1.34.0',
    requestID: `request-${id}`,
    readOnly: true,
    eventType: 'AwsApiCall',
    eventCategory: 'Management',
    managementEvent: true,
    recipientAccountId: '111122223333',
    requestParameters: options.parameters ?? null,
    responseElements: null,
    userIdentity: {
      type: 'AssumedRole',
      principalId: `AROAEXAMPLE${role}:task`,
      arn: `arn:aws:sts::111122223333:assumed-role/${role}/task`,
      accountId: '111122223333',
      accessKeyId: 'ASIAEXAMPLEEXAMPLE01',
      sessionContext: {
        sessionIssuer: {
          type: 'Role',
          principalId: `AROAEXAMPLE${role}`,
          arn: `arn:aws:iam::111122223333:role/${role}`,
          accountId: '111122223333',
          userName: role,
        },
        attributes: { creationDate: '2026-01-05T08:00:00Z', mfaAuthenticated: 'false' },
      },
    },
  }
}

export const roleArn = (role = 'reader'): string => `arn:aws:iam::111122223333:role/${role}`

/** Records as NDJSON, with the last line break. */
export const ndjson = (records: readonly unknown[]): string =>
  records.map((record) => `${JSON.stringify(record)}\n`).join('')

/** `count` records of a role, one an hour. */
export const trails = (
  prefix: string,
  count: number,
  options: TrailOptions = {},
): Record<string, unknown>[] =>
  Array.from({ length: count }, (_, at) =>
    trail(`${prefix}-${at}`, { ...options, time: (options.time ?? START) + at * HOUR }),
  )

/** A record that stops the trail: it alerts from the first event. */
export const tampering = (id: string, time = START): Record<string, unknown> =>
  trail(id, {
    time,
    role: 'intruder',
    source: 'cloudtrail.amazonaws.com',
    name: 'StopLogging',
    parameters: { name: 'main' },
  })
