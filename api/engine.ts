import { type DetectorRegistry, loadDetectors } from '../detectors/detectors.ts'
import { openStore, type Store } from '../features/store/connection.ts'
import { createNormaliser } from '../ingest/normalise.ts'
import { openOrigins } from '../ingest/origin.ts'
import { loadSources, type SourceRegistry } from '../ingest/sources.ts'
import type { Config } from './config.ts'
import { type BatchCounts, Pipeline, type PipelineOptions, type PipelineRecord } from './pipeline.ts'

/** Everything that runs, put together from the settings: shared by `serve`, `replay` and the demo. */
export interface Engine {
  readonly store: Store
  readonly registry: SourceRegistry
  readonly detectors: DetectorRegistry
  /** See `Pipeline.take`. After a failure the next call starts from what the store holds. */
  readonly take: (records: readonly PipelineRecord[], outcomes?: Uint8Array) => Promise<BatchCounts>
  /** Everything taken is durable and published. */
  readonly durable: () => Promise<void>
  /** Takes up where the store left off, if a failure made us forget; then proves that the store can be written. */
  readonly reopen: () => Promise<void>
  /** False from a failure until the state is restored. */
  readonly restored: () => boolean
  readonly identities: () => number
  readonly close: () => Promise<void>
}

export interface EngineOptions {
  readonly learnUntil?: number | undefined
  readonly includePeople: boolean
  readonly publish: PipelineOptions['publish']
}

/** What an engine is made of, for callers that bring their own parts. */
export interface EngineParts
  extends Pick<
    PipelineOptions,
    'store' | 'detectors' | 'normalise' | 'alertsPerDay' | 'scope' | 'stale' | 'capacity'
  > {
  readonly registry: SourceRegistry
}

const PROBE_CURSOR = 'probe'

export async function openEngine(config: Config, options: EngineOptions): Promise<Engine> {
  const parts = await openParts(config)
  try {
    return await startEngine(parts, options)
  } catch (error) {
    await parts.store.close()
    throw error
  }
}

/** The catalogues, the places and the store, opened by the settings. */
export async function openParts(config: Config): Promise<EngineParts> {
  const [registry, detectors, origins] = await Promise.all([
    loadSources(),
    loadDetectors(),
    openOrigins(config.origins),
  ])
  const store = await openStore(config.store)
  return {
    store,
    registry,
    detectors,
    normalise: createNormaliser({ origins }),
    alertsPerDay: config.alertsPerDay,
  }
}

/** Starts an engine on an open store, which it will close. Calls of `take`, `durable` and `reopen` come one at a time. */
export async function startEngine(parts: EngineParts, options: EngineOptions): Promise<Engine> {
  const { registry, ...rest } = parts
  const { store } = rest
  const pipelineOptions: PipelineOptions = { ...rest, ...options }
  let pipeline: Pipeline | null = await Pipeline.open(pipelineOptions)
  /** Writes of a pipeline that was given up may still be under way: what they store must be there before it is read again. */
  let abandoned: Promise<void> = Promise.resolve()
  const current = async (): Promise<Pipeline> => {
    if (pipeline === null) {
      await abandoned
      pipeline = await Pipeline.open(pipelineOptions)
    }
    return pipeline
  }
  // What a failed write leaves in memory is ahead of the store: it must be forgotten, not written by the next batch.
  const guarded = async <T>(work: (pipeline: Pipeline) => Promise<T>): Promise<T> => {
    const mine = await current()
    try {
      return await work(mine)
    } catch (error) {
      if (pipeline === mine) {
        pipeline = null
        abandoned = mine.durable().catch(() => {})
      }
      throw error
    }
  }
  return {
    store,
    registry,
    detectors: parts.detectors,
    take: (records, outcomes) => guarded((p) => p.take(records, outcomes)),
    durable: () => guarded((p) => p.durable()),
    reopen: async () => {
      await current()
      await store.setCursor(PROBE_CURSOR, '')
    },
    restored: () => pipeline !== null,
    identities: () => pipeline?.identities ?? 0,
    close: async () => {
      try {
        await abandoned
        await pipeline?.close()
      } finally {
        await store.close()
      }
    },
  }
}
