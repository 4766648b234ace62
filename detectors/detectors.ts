import { loadCatalogue } from '../ingest/catalogue.ts'
import { type Detector, FAMILIES } from './detector.ts'

/** The catalogue: every file of `catalog/` that exports `detector`, by id. */
export interface DetectorRegistry {
  readonly all: readonly Detector[]
  readonly byId: (id: string) => Detector | undefined
}

const CATALOG = new URL('./catalog/', import.meta.url)

/** Scans the folder; refuses to start as `loadCatalogue` does. */
export async function loadDetectors(folder: URL = CATALOG): Promise<DetectorRegistry> {
  const byId = await loadCatalogue(folder, {
    noun: 'detector',
    madeBy: 'defineDetector',
    entryOf: (exported) => (isDetector(exported) ? exported : null),
  })
  return { all: [...byId.values()], byId: (id) => byId.get(id) }
}

function isDetector(value: unknown): value is Detector {
  return (
    typeof value === 'object' &&
    value !== null &&
    'id' in value &&
    typeof value.id === 'string' &&
    'score' in value &&
    typeof value.score === 'function' &&
    'trigger' in value &&
    'family' in value &&
    FAMILIES.some((family) => family === value.family)
  )
}
