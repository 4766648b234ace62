import { loadDetectors } from '../detectors/detectors.ts'
import { openStore, type Store } from '../features/store/connection.ts'
import { createNormaliser } from '../ingest/normalise.ts'
import { openOrigins } from '../ingest/origin.ts'
import type { ReadRecord } from '../ingest/reader.ts'
import { loadSources, type SourceRegistry } from '../ingest/sources.ts'
import type { Config } from './config.ts'
import { type BatchCounts, Pipeline, type PipelineOptions } from './pipeline.ts'

/** Everything that runs, put together from the settings: shared by `serve`, `replay` and the demo. */
export interface Engine {
  readonly store: Store
  readonly registry: SourceRegistry
  /** See `Pipeline.take`. After a failure the next call starts from what the store holds. */
  readonly take: (records: readonly ReadRecord[]) => Promise<BatchCounts>
  /** Everything taken is durable and published. */
  readonly durable: () => Promise<void>
  readonly identities: () => number
  readonly close: () => Promise<void>
}

export interface EngineOptions {
  readonly learnUntil?: number | undefined
  readonly includePeople: boolean
  readonly publish: PipelineOptions['publish']
}

export async function openEngine(config: Config, options: EngineOptions): Promise<Engine> {
  const [registry, detectors, origins] = await Promise.all([
    loadSources(),
    loadDetectors(),
    openOrigins(config.origins),
  ])
  const store = await openStore(config.store)
  const pipelineOptions: PipelineOptions = {
    store,
    detectors,
    normalise: createNormaliser({ origins }),
    alertsPerDay: config.alertsPerDay,
    ...options,
  }
  let pipeline: Pipeline | null
  try {
    pipeline = await Pipeline.open(pipelineOptions)
  } catch (error) {
    await store.close()
    throw error
  }
  // What a failed write leaves in memory is ahead of the store: it must be forgotten, not written by the next batch.
  const guarded = async <T>(work: (pipeline: Pipeline) => Promise<T>): Promise<T> => {
    pipeline ??= await Pipeline.open(pipelineOptions)
    try {
      return await work(pipeline)
    } catch (error) {
      pipeline = null
      throw error
    }
  }
  return {
    store,
    registry,
    take: (records) => guarded((p) => p.take(records)),
    durable: () => guarded((p) => p.durable()),
    identities: () => pipeline?.identities ?? 0,
    close: async () => {
      try {
        await pipeline?.close()
      } finally {
        await store.close()
      }
    },
  }
}
