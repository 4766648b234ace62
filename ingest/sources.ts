import { readdir } from 'node:fs/promises'
import { KINDS } from './activity.ts'
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

/**
 * Scans the folder. An invalid or duplicate entry refuses to start: one error, code `invalid-catalogue`, lists every
 * problem at once; its `cause` holds what the files that could not be loaded threw.
 */
export async function loadSources(folder: URL = FOLDER): Promise<SourceRegistry> {
  const files = (await readdir(folder))
    .filter((name) => /\.(ts|js)$/.test(name) && !name.endsWith('.d.ts'))
    .sort()
  const problems: string[] = []
  const causes: unknown[] = []
  const byId = new Map<string, Source>()
  for (const file of files) {
    let module: unknown
    try {
      module = await import(new URL(file, folder).href)
    } catch (error) {
      problems.push(`${file}: cannot be loaded: ${error instanceof Error ? error.message : String(error)}`)
      causes.push(error)
      continue
    }
    const id = file.replace(/\.(ts|js)$/, '')
    const source = sourceOf(module)
    if (source === null) problems.push(`${file}: exports no source made by defineSource`)
    else if (source.id !== id)
      problems.push(`${file}: its id is ${JSON.stringify(source.id)}, not the file name`)
    else if (byId.has(id)) problems.push(`${file}: a second source ${id}`)
    else byId.set(id, source)
  }
  if (problems.length > 0)
    throw Object.assign(
      new Error(
        `Source catalogue is invalid:\n${problems.join('\n')}`,
        causes.length === 0 ? undefined : { cause: new AggregateError(causes) },
      ),
      { code: 'invalid-catalogue' },
    )
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

function sourceOf(module: unknown): Source | null {
  if (typeof module !== 'object' || module === null || !('source' in module)) return null
  const { source } = module
  return isSource(source) ? source : null
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
