import { readdir } from 'node:fs/promises'
import { basename } from 'node:path'
import { type Detector, FAMILIES } from './detector.ts'

/** The catalogue: every file of `catalog/` that exports `detector`, by id. */
export interface DetectorRegistry {
  readonly all: readonly Detector[]
  readonly byId: (id: string) => Detector | undefined
}

const CATALOG = new URL('./catalog/', import.meta.url)

/**
 * Scans the folder. An invalid or duplicate entry refuses to start: one error, code `invalid-catalogue`, lists every
 * problem at once.
 */
export async function loadDetectors(folder: URL = CATALOG): Promise<DetectorRegistry> {
  const files = (await readdir(folder))
    .filter((name) => /\.(ts|js)$/.test(name) && !name.endsWith('.d.ts'))
    .sort()
  const problems: string[] = []
  const byId = new Map<string, Detector>()
  for (const file of files) {
    const module: unknown = await import(new URL(file, folder).href)
    const id = basename(file).replace(/\.(ts|js)$/, '')
    const detector = detectorOf(module)
    if (detector === null) problems.push(`${file}: exports no detector made by defineDetector`)
    else if (detector.id !== id)
      problems.push(`${file}: its id is ${JSON.stringify(detector.id)}, not the file name`)
    else if (byId.has(id)) problems.push(`${file}: a second detector ${id}`)
    else byId.set(id, detector)
  }
  if (problems.length > 0)
    throw Object.assign(new Error(`Detector catalogue is invalid:\n${problems.join('\n')}`), {
      code: 'invalid-catalogue',
    })
  return { all: [...byId.values()], byId: (id) => byId.get(id) }
}

function detectorOf(module: unknown): Detector | null {
  if (typeof module !== 'object' || module === null || !('detector' in module)) return null
  const { detector } = module
  return isDetector(detector) ? detector : null
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
