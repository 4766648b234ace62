import { readdir } from 'node:fs/promises'
import type { JsonObject, Source } from './source.ts'

/** The sources, found by scanning `sources/`. */
export interface SourceRegistry {
  readonly all: readonly Source[]
  readonly byId: (id: string) => Source | undefined
  readonly recognise: (record: JsonObject) => Source | undefined
  readonly recogniseLine: (
    line: string,
  ) => { readonly source: Source; readonly record: JsonObject } | undefined
}

const FOLDER = new URL('./sources/', import.meta.url)

/** Scans the folder. An invalid or duplicate entry refuses to start (`invalid-catalogue`), listing every problem at once. */
export async function loadSources(folder: URL = FOLDER): Promise<SourceRegistry> {
  const files = (await readdir(folder))
    .filter((name) => /\.(ts|js)$/.test(name) && !name.endsWith('.d.ts'))
    .sort()
  const problems: string[] = []
  const byId = new Map<string, Source>()
  for (const file of files) {
    const module: unknown = await import(new URL(file, folder).href)
    const id = file.replace(/\.(ts|js)$/, '')
    const source = sourceOf(module)
    if (source === null) problems.push(`${file}: exports no source made by defineSource`)
    else if (source.id !== id)
      problems.push(`${file}: its id is ${JSON.stringify(source.id)}, not the file name`)
    else if (byId.has(id)) problems.push(`${file}: a second source ${id}`)
    else byId.set(id, source)
  }
  if (problems.length > 0)
    throw Object.assign(new Error(`Source catalogue is invalid:\n${problems.join('\n')}`), {
      code: 'invalid-catalogue',
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
    'read' in value &&
    typeof value.read === 'function' &&
    'recognises' in value &&
    typeof value.recognises === 'function'
  )
}
