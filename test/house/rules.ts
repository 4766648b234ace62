import { builtinModules } from 'node:module'
import { ROOMS, type Room, roomOf } from './project-files.ts'
import { COMPUTED, importsOf, lineOf, packageOf, resolveFrom, type SourceText } from './source-text.ts'

/** The house rules for one file of code. Each returns what is wrong, as `path:line: sentence`; nothing when all is well. */
export interface File {
  readonly path: string
  readonly text: string
  readonly source: SourceText
}

/** An event falls downhill: a room may import from itself and from the rooms named here. */
export const MAY_IMPORT: Readonly<Record<Room, readonly Room[]>> = {
  ingest: [],
  features: ['ingest'],
  detectors: ['features', 'ingest'],
  responders: ['detectors', 'features', 'ingest'],
  api: ['responders', 'detectors', 'features', 'ingest'],
  datasets: ['api', 'responders', 'detectors', 'features', 'ingest'],
  test: ROOMS,
}

/** Folders whose files are found by scanning and stand alone. */
export const CATALOGUES = [
  'ingest/sources/',
  'detectors/catalog/',
  'responders/catalog/',
  'datasets/attacks/',
] as const

export function directionBreaches({ path, source }: File): string[] {
  const room = roomOf(path)
  if (room === undefined) return []
  const breaches: string[] = []
  for (const specifier of importsOf(source)) {
    const target = resolveFrom(path, specifier)
    if (target === undefined) continue
    const to = roomOf(target)
    if (to === undefined) breaches.push(`${path}: imports ${specifier}, which is in no room`)
    else if (to !== room && !MAY_IMPORT[room].includes(to))
      breaches.push(`${path}: imports ${specifier}: ${room} must not know ${to}`)
    const catalogue = CATALOGUES.find((folder) => target.startsWith(folder))
    if (catalogue !== undefined && room !== 'test' && path !== target)
      breaches.push(`${path}: imports ${specifier}: catalogue files are scanned, never imported`)
  }
  return breaches
}

/** One home per library: who may import it. Libraries that are not listed may be imported by every room. */
export const HOMES: ReadonlyMap<string, readonly string[]> = new Map([
  ['@clickhouse/client', ['features/store/']],
  ['chdb', ['features/store/']],
  ['maxmind', ['ingest/']],
  ['@ip-location-db/asn', ['ingest/']],
  ['@ip-location-db/geo-whois-asn-country-mmdb', ['ingest/']],
  ['kafkajs', ['ingest/kafka.ts', 'ingest/kafka-codecs.ts']],
  ['snappy', ['ingest/kafka-codecs.ts']],
  ['lz4-napi', ['ingest/kafka-codecs.ts']],
  ['@bokuweb/zstd-wasm', ['ingest/kafka-codecs.ts']],
  ['aws-msk-iam-sasl-signer-js', ['api/kafka-token.ts']],
  ['simple-statistics', ['features/', 'detectors/', 'datasets/']],
  ['fastify', ['api/']],
  ['pino', ['api/']],
  ['commander', ['api/cli/', 'datasets/']],
])

/** Where an import whose name is computed is allowed: the scanners of the catalogues. */
export const SCANNERS = ['ingest/catalogue.ts', 'responders/responders.ts', 'datasets/attacks.ts'] as const

const BUILT_IN: ReadonlySet<string> = new Set(builtinModules)

export function libraryBreaches(
  { path, source }: File,
  declared: { readonly runtime: ReadonlySet<string>; readonly development: ReadonlySet<string> },
): string[] {
  const breaches: string[] = []
  const test = roomOf(path) === 'test' || roomOf(path) === undefined
  for (const specifier of importsOf(source)) {
    if (specifier === COMPUTED) {
      if (!test && !SCANNERS.some((scanner) => scanner === path))
        breaches.push(`${path}: a computed import hides what it imports`)
      continue
    }
    if (specifier.startsWith('.') || specifier.startsWith('node:')) continue
    const library = packageOf(specifier)
    if (BUILT_IN.has(library)) breaches.push(`${path}: write node:${specifier}`)
    else if (!declared.runtime.has(library) && !(test && declared.development.has(library)))
      breaches.push(`${path}: ${library} is no dependency of package.json${test ? '' : ' at run time'}`)
    const homes = HOMES.get(library)
    if (!test && homes !== undefined && !homes.some((home) => path.startsWith(home)))
      breaches.push(`${path}: ${library} lives in ${homes.join(' and ')} only`)
  }
  return breaches
}

/** Clock, chance and surroundings: they arrive as arguments. */
const AMBIENT = [
  /\bDate\.now\b/g,
  /\bnew\s+Date\s*(?:\(\s*\)|(?!\s*\())/g,
  /(?<!new\s)(?<![.\w])Date\s*\(/g,
  /\bperformance\b/g,
  /\bMath\.random\b/g,
  /\b(?:randomUUID|randomBytes|randomInt|getRandomValues)\b/g,
  /(?<!\.)\bprocess\b\s*\.(?!stdin\b)/g,
  /\b(?:setTimeout|setInterval)\b/g,
  /(?<![.\w])(?:fetch|console)\s*[.(]/g,
] as const

/** Built-in modules that neither touch the outside nor ask the clock. */
const HARMLESS = [
  'node:path',
  'node:path/posix',
  'node:crypto',
  'node:buffer',
  'node:string_decoder',
  'node:url',
  'node:util',
  'node:zlib',
] as const

/** The rooms of the pure middle. `features/store` is where the store begins. */
export const isPureRoom = (path: string): boolean =>
  /^(?:ingest|features|detectors)\//.test(path) && !path.startsWith('features/store/')

/** The thin edges inside those rooms: files that may read files or scan folders. They read no clock and draw no chance. */
export const EDGES: ReadonlyMap<string, string> = new Map([
  ['ingest/files.ts', 'lists and reads log files'],
  ['ingest/catalogue.ts', 'scans the catalogues'],
  ['ingest/place-database.ts', 'opens mmdb files'],
  ['ingest/asn-table.ts', 'reads the table of autonomous systems'],
  ['ingest/cloud-ranges.ts', "reads the clouds' published ranges"],
  ['ingest/origin.ts', 'opens the databases it looks up'],
])

export const touchesOutside = ({ source }: File): readonly string[] =>
  importsOf(source).filter((s) => s.startsWith('node:') && !HARMLESS.some((harmless) => harmless === s))

export function purityBreaches(file: File): string[] {
  const { path, text, source } = file
  if (!isPureRoom(path)) return []
  const breaches: string[] = []
  for (const pattern of AMBIENT)
    for (const match of source.code.matchAll(pattern))
      breaches.push(`${path}:${lineOf(text, match.index)}: ${match[0].trim()} in the pure middle`)
  if (!EDGES.has(path)) {
    for (const module of touchesOutside(file)) breaches.push(`${path}: ${module} in the pure middle`)
    if (/\bprocess\s*\.\s*stdin\b/.test(source.code))
      breaches.push(`${path}: process.stdin in the pure middle`)
  }
  return breaches
}

const IN_COMMENTS = [
  /@ts-(?:ignore|expect-error|nocheck)/g,
  /biome-ignore/g,
  /\b(?:TODO|FIXME|XXX|HACK)\b/g,
] as const
const IN_CODE = [
  { pattern: /\bas\s+(?!const\b)(?=[\w{([])/g, sentence: '`as`: narrow instead' },
  { pattern: /(?<![\w.])(?:it|test|describe|suite)(?:\.\w+)*\.only\b/g, sentence: 'only one test would run' },
  { pattern: /\bdebugger\b/g, sentence: 'debugger' },
] as const
/** Import and export lists rename by `as`, which is no cast. */
const LISTS = /\b(?:import|export)\s+(?:type\s+)?(?:\w+\s*,\s*)?(?:\{[^}]*\}|\*\s*as\s+\w+)/g

/** Skips are allowed where the file says so out loud: a line `console.warn('SKIPPED: …')`. */
const SKIP = /(?<![\w.])(?:it|test|describe|suite)(?:\.\w+)*\.(?:skip|skipIf|runIf|todo)\b/g

export function disciplineBreaches({ path, text, source }: File): string[] {
  const breaches: string[] = []
  const at = (position: number): string => `${path}:${lineOf(text, position)}`
  for (const pattern of IN_COMMENTS)
    for (const match of source.comments.matchAll(pattern)) breaches.push(`${at(match.index)}: ${match[0]}`)
  const code = source.code.replaceAll(LISTS, (list) => list.replaceAll(/\S/g, ' '))
  for (const { pattern, sentence } of IN_CODE)
    for (const match of code.matchAll(pattern)) breaches.push(`${at(match.index)}: ${sentence}`)
  // `auth-reading.ts` says it for the five auth sources, which read their records through it.
  const loud =
    ([...source.strings.values(), text].some((s) => /SKIPPED: \S/.test(s)) && /console\.warn/.test(code)) ||
    /from '\.\/auth-reading\.ts'/.test(text) ||
    // `kafkaAvailable` says it for the tests that need a broker.
    /await kafkaAvailable\(\)/.test(text)
  for (const match of code.matchAll(SKIP))
    if (!loud) breaches.push(`${at(match.index)}: ${match[0]} without console.warn('SKIPPED: …') in the file`)
  return breaches
}

const VAGUE = /^(?:utils?|helpers?|commons?|managers?|cores?|libs?|misc|shared|tools?|stuff)$/

/** Nouns, kebab-case, and no drawer for odds and ends. */
export function nameBreaches(path: string): string[] {
  const parts = path.split('/')
  const breaches: string[] = []
  for (const part of parts) {
    const stem = part.replace(/(?<=.)\..*$/, '')
    if (stem.split('-').some((word) => /^(?:utils?|helpers?|manager)$/.test(word)) || VAGUE.test(stem))
      breaches.push(`${path}: "${stem}" says nothing about what is inside`)
  }
  const file = parts.at(-1) ?? ''
  if (file.endsWith('.ts') && !/^[a-z0-9]+(?:-[a-z0-9]+)*(?:\.[a-z0-9]+)*\.ts$/.test(file))
    breaches.push(`${path}: not kebab-case`)
  return breaches
}

/** Everything that may stand at the top (architecture.md §1): rooms, manifest, read-me, docs, lock file, tool configs. */
const TOP = new Set<string>([
  ...ROOMS,
  'docs',
  'package.json',
  'package-lock.json',
  'tsconfig.json',
  'tsconfig.build.json',
  'biome.json',
  'vitest.config.ts',
  'compose.yaml',
  'README.md',
  'LICENSE',
  'CHANGELOG.md',
  'CONTRIBUTING.md',
  'SECURITY.md',
])
export const topBreaches = (paths: readonly string[]): string[] =>
  [...new Set(paths.map((path) => path.split('/')[0] ?? ''))]
    .filter((name) => !name.startsWith('.') && !TOP.has(name))
    .map((name) => `${name}: not in the floor plan (architecture.md §1)`)
