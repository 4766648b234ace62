import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { projectFiles, ROOMS, read, typescriptFiles } from './project-files.ts'
import {
  directionBreaches,
  disciplineBreaches,
  EDGES,
  type File,
  HOMES,
  libraryBreaches,
  nameBreaches,
  purityBreaches,
  topBreaches,
  touchesOutside,
} from './rules.ts'
import { dissect } from './source-text.ts'

/** The house rules, on the project as it is; and on small breaches, so that each rule is known to bite. */
const fileOf = (path: string, text: string): File => ({ path, text, source: dissect(text) })
const files: readonly File[] = typescriptFiles.map((path) => fileOf(path, read(path)))
const manifest = z
  .object({
    dependencies: z.record(z.string(), z.string()),
    optionalDependencies: z.record(z.string(), z.string()),
    peerDependencies: z.record(z.string(), z.string()),
    devDependencies: z.record(z.string(), z.string()),
  })
  .parse(JSON.parse(read('package.json')))
const declared = {
  runtime: new Set(
    Object.keys({
      ...manifest.dependencies,
      ...manifest.optionalDependencies,
      ...manifest.peerDependencies,
    }),
  ),
  development: new Set(Object.keys(manifest.devDependencies)),
}

it('looks at all rooms', () => {
  expect(files.length).toBeGreaterThan(100)
  for (const room of ROOMS.filter((r) => r !== 'responders'))
    expect(files.some((f) => f.path.startsWith(`${room}/`))).toBe(true)
})

describe('imports run downhill', () => {
  it('everywhere', () => expect(files.flatMap(directionBreaches)).toEqual([]))
  it.each([
    ['ingest/a.ts', "import { b } from '../features/b.ts'"],
    ['features/a.ts', "export * from '../detectors/b.ts'"],
    ['detectors/a.ts', "const b = await import('../api/b.ts')"],
    ['detectors/a.ts', "new Worker(new URL('../responders/b.ts', import.meta.url))"],
    ['api/a.ts', "import type { b } from '../datasets/b.ts'"],
    ['datasets/a.ts', "import { b } from '../test/b.ts'"],
    ['api/a.ts', "import { b } from '../src/b.ts'"],
    ['detectors/catalog/a.ts', "import { detector } from './b.ts'"],
    ['api/a.ts', "import { source } from '../ingest/sources/cloudtrail.ts'"],
  ])('%s must not say %s', (path, text) => {
    expect(directionBreaches(fileOf(path, text))).toHaveLength(1)
  })
  it('and downhill is fine', () => {
    expect(directionBreaches(fileOf('api/a.ts', "import { b } from '../ingest/b.ts'"))).toEqual([])
    expect(directionBreaches(fileOf('test/ingest/a.ts', "import { b } from '../../datasets/b.ts'"))).toEqual(
      [],
    )
  })
})

describe('each library has one home and stands in package.json', () => {
  it('everywhere', () => expect(files.flatMap((f) => libraryBreaches(f, declared))).toEqual([]))
  it('and every home belongs to a library we have', () => {
    expect([...HOMES.keys()].filter((library) => !declared.runtime.has(library))).toEqual([])
  })
  it.each([
    ['detectors/a.ts', "import { createClient } from '@clickhouse/client'"],
    ['api/a.ts', "const { connect } = await import('chdb/connection')"],
    ['ingest/a.ts', "import fastify from 'fastify'"],
    ['api/a.ts', "import { Command } from 'commander'"],
    ['features/a.ts', "import { Reader } from 'maxmind'"],
    ['ingest/a.ts', "import { readFile } from 'fs/promises'"],
    ['detectors/a.ts', 'const module = await import(name)'],
    ['features/a.ts', "import fc from 'fast-check'"],
    ['test/a.ts', "import { parse } from 'undeclared'"],
  ])('%s must not say %s', (path, text) => {
    expect(libraryBreaches(fileOf(path, text), declared)).toHaveLength(1)
  })
})

describe('the middle is pure', () => {
  it('everywhere', () => expect(files.flatMap(purityBreaches)).toEqual([]))
  it('and what is called an edge is one', () => {
    const idle = [...EDGES.keys()].filter((path) => {
      const file = files.find((f) => f.path === path)
      return file === undefined || touchesOutside(file).length === 0
    })
    expect(idle).toEqual([])
  })
  it.each([
    'const now = Date.now()',
    'const now = new Date()',
    'const now = new Date',
    'const now = Date()',
    'const now = performance.now()',
    'const x = Math.random()',
    'const home = process.env.HOME',
    'const id = randomUUID()',
    'setTimeout(f, 10)',
    'process.stdin.resume()',
    'console.log(1)',
    "const r = await fetch('http://x')",
    "import { readFileSync } from 'node:fs'",
    "import { hostname } from 'node:os'",
  ])('%s is refused', (text) => {
    for (const path of ['ingest/a.ts', 'features/a.ts', 'detectors/catalog/a.ts'])
      expect(purityBreaches(fileOf(path, text))).toHaveLength(1)
    expect(purityBreaches(fileOf('features/store/a.ts', text))).toEqual([])
    expect(purityBreaches(fileOf('api/a.ts', text))).toEqual([])
  })
  it('and an edge may read files, but no clock', () => {
    expect(purityBreaches(fileOf('ingest/files.ts', "import { readFile } from 'node:fs'"))).toEqual([])
    expect(purityBreaches(fileOf('ingest/files.ts', 'const now = Date.now()'))).toHaveLength(1)
  })
  it('and dates that are given, and words in comments, are fine', () => {
    const text =
      "// new Date() would be wrong\nconst d = new Date(time)\nconst t = Date.parse('2026')\nctx.process.run()"
    expect(purityBreaches(fileOf('ingest/a.ts', text))).toEqual([])
  })
})

describe('nothing is silenced', () => {
  it('anywhere', () => expect(files.flatMap(disciplineBreaches)).toEqual([]))
  it.each([
    `// ${'@ts'}-ignore`,
    `/* ${'@ts'}-expect-error */`,
    `// ${'biome'}-ignore lint: because`,
    `// ${'TO'}DO later`,
    'const a = b as string',
    'const a = { ...(b as C) }',
    "it.only('x', () => {})",
    "describe.concurrent.only('x', () => {})",
    "it.skip('x', () => {})",
    "describe.skipIf(!existsSync(x))('x', () => {})",
    "it.todo('x')",
  ])('%s is refused', (text) => {
    expect(disciplineBreaches(fileOf('test/a.ts', text))).toHaveLength(1)
  })
  it('but a loud skip, `as const` and renamed imports are fine', () => {
    const loud = "if (!there) console.warn('SKIPPED: no data')\ndescribe.skipIf(!there)('x', () => {})"
    expect(disciplineBreaches(fileOf('test/a.ts', loud))).toEqual([])
    const code =
      "import { a as b, type c as d } from 'e'\nimport * as f from 'g'\nexport { b as h }\nconst i = [1] as const"
    expect(disciplineBreaches(fileOf('api/a.ts', code))).toEqual([])
  })
  it('and Biome refuses the rest', () => {
    const biome = z
      .object({
        linter: z.object({
          rules: z.object({
            preset: z.literal('recommended'),
            style: z
              .object({ noNonNullAssertion: z.literal('error'), noDefaultExport: z.literal('error') })
              .loose(),
            suspicious: z.object({ noExplicitAny: z.literal('error') }).loose(),
          }),
        }),
      })
      .safeParse(JSON.parse(read('biome.json')))
    expect(biome.error).toBeUndefined()
  })
})

describe('names', () => {
  it('say what is inside', () => expect(projectFiles.flatMap(nameBreaches)).toEqual([]))
  it('keep the top level as drawn', () => {
    expect(topBreaches(projectFiles)).toEqual([])
    for (const needed of [
      'README.md',
      'LICENSE',
      'package.json',
      'package-lock.json',
      'tsconfig.json',
      '.ci/run',
    ])
      expect(projectFiles).toContain(needed)
  })
  it.each([
    'ingest/utils.ts',
    'api/helpers/a.ts',
    'features/common.ts',
    'api/string-utils.ts',
    'detectors/score-manager.ts',
    'core/a.ts',
    'ingest/camelCase.ts',
  ])('%s is refused', (path) => expect(nameBreaches(path)).toHaveLength(1))
  it('and a new folder at the top is refused', () => {
    expect(topBreaches(['src/a.ts', 'ingest/a.ts', '.ci/run', 'docs/a.md'])).toHaveLength(1)
  })
})
