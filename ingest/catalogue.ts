import { readdir } from 'node:fs/promises'

/** What a folder of one-file entries holds: sources, detectors. */
export interface Catalogue<T> {
  /** What an entry is called, and so exported as: `source`. */
  readonly noun: string
  /** What makes an entry: `defineSource`. */
  readonly madeBy: string
  /** The entry, or null when the value is none. */
  readonly entryOf: (exported: unknown) => T | null
}

/**
 * Imports every file of a folder, in the order of their names. An invalid or duplicate entry refuses to start: one error,
 * code `invalid-catalogue`, lists every problem at once; its `cause` holds what the files that could not be loaded threw.
 */
export async function loadCatalogue<T extends { readonly id: string }>(
  folder: URL,
  { noun, madeBy, entryOf }: Catalogue<T>,
): Promise<ReadonlyMap<string, T>> {
  const files = (await readdir(folder))
    .filter((name) => /\.(ts|js)$/.test(name) && !name.endsWith('.d.ts'))
    .sort()
  const problems: string[] = []
  const causes: unknown[] = []
  const byId = new Map<string, T>()
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
    const entry = entryOf(exportOf(module, noun))
    if (entry === null) problems.push(`${file}: exports no ${noun} made by ${madeBy}`)
    else if (entry.id !== id)
      problems.push(`${file}: its id is ${JSON.stringify(entry.id)}, not the file name`)
    else if (byId.has(id)) problems.push(`${file}: a second ${noun} ${id}`)
    else byId.set(id, entry)
  }
  if (problems.length === 0) return byId
  throw Object.assign(
    new Error(
      `${noun.charAt(0).toUpperCase()}${noun.slice(1)} catalogue is invalid:\n${problems.join('\n')}`,
      causes.length === 0 ? undefined : { cause: new AggregateError(causes) },
    ),
    { code: 'invalid-catalogue' },
  )
}

function exportOf(module: unknown, name: string): unknown {
  return typeof module === 'object' && module !== null
    ? Object.entries(module).find(([key]) => key === name)?.[1]
    : undefined
}
