import { KINDS } from './activity.ts'
import { loadCatalogue } from './catalogue.ts'
import type { JsonObject, Source } from './source.ts'

/** The sources, found by scanning `sources/`, in the order of their ids. */
export interface SourceRegistry {
  readonly all: readonly Source[]
  readonly byId: (id: string) => Source | undefined
  readonly recognise: (record: JsonObject) => Source | undefined
  readonly recogniseLine: (
    line: string,
  ) => { readonly source: Source; readonly record: JsonObject } | undefined
}

const FOLDER = new URL('./sources/', import.meta.url)

/** Scans the folder; refuses to start as `loadCatalogue` does. */
export async function loadSources(folder: URL = FOLDER): Promise<SourceRegistry> {
  const byId = await loadCatalogue(folder, {
    noun: 'source',
    madeBy: 'defineSource',
    entryOf: (exported) => (isSource(exported) ? exported : null),
  })
  const all = [...byId.values()]
  return {
    all,
    byId: (id) => byId.get(id),
    recognise: (record) => all.find((source) => source.recognises(record)),
    recogniseLine: (line) => {
      for (const source of all) {
        const record = source.parseLine?.(line) ?? null
        if (record !== null) return { source, record }
      }
      return undefined
    },
  }
}

function isSource(value: unknown): value is Source {
  return (
    typeof value === 'object' &&
    value !== null &&
    'id' in value &&
    typeof value.id === 'string' &&
    'kind' in value &&
    KINDS.some((kind) => kind === value.kind) &&
    'read' in value &&
    typeof value.read === 'function' &&
    'recognises' in value &&
    typeof value.recognises === 'function' &&
    'samples' in value &&
    Array.isArray(value.samples) &&
    // A source of lines without a parser would never be asked, silently.
    'format' in value &&
    (value.format === 'json' ||
      (value.format === 'text' && 'parseLine' in value && typeof value.parseLine === 'function'))
  )
}
