import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { z } from 'zod'
import { readConfig } from '../../api/config.ts'
import { type DetectorRegistry, loadDetectors } from '../../detectors/detectors.ts'
import { loadSources, type SourceRegistry } from '../../ingest/sources.ts'
import { detectorsPage, formatsTable, sourcesPage } from './docs/catalogues.ts'
import { table, withBlock } from './docs/markdown.ts'
import { commandsText, loadProgram } from './docs/program.ts'
import { projectFiles, ROOT, read } from './project-files.ts'
import { dissect, importsOf } from './source-text.ts'

/**
 * Generated pages equal what the code says: vitest's file snapshots compare, and `npm run docs` (`-u`) writes them. What is
 * written by hand is checked where it can be.
 */
let sources: SourceRegistry
let detectors: DetectorRegistry
let program: Awaited<ReturnType<typeof loadProgram>>
beforeAll(async () => {
  sources = await loadSources()
  detectors = await loadDetectors()
  program = await loadProgram()
})

describe('catalogues', () => {
  const idsIn = (folder: string): string[] =>
    readdirSync(join(ROOT, folder))
      .filter((name) => name.endsWith('.ts'))
      .map((name) => name.replace(/\.ts$/, ''))
      .sort()
  it('have one entry a file, under its name', () => {
    expect(sources.all.map((s) => s.id).sort()).toEqual(idsIn('ingest/sources'))
    expect(detectors.all.map((d) => d.id).sort()).toEqual(idsIn('detectors/catalog'))
  })
  it('use no id twice, across catalogues either', () => {
    const ids = [...sources.all, ...detectors.all].map(({ id }) => id)
    expect(ids.filter((id, at) => ids.indexOf(id) !== at)).toEqual([])
  })
  it('say everything', () => {
    for (const s of sources.all) {
      for (const text of [s.title, s.sees, s.misses, s.needs]) expect(text.length, s.id).toBeGreaterThan(10)
      expect(s.documentation, s.id).toMatch(/^https:\/\/\S+$/)
      expect(s.samples.length, s.id).toBeGreaterThan(0)
    }
    for (const d of detectors.all) {
      for (const text of [d.title, d.sees, d.needs]) expect(text.length, d.id).toBeGreaterThan(10)
      expect(d.blindSpots.length, d.id).toBeGreaterThan(0)
      expect(d.falsePositives.length, d.id).toBeGreaterThan(0)
      for (const { tactic, technique } of d.attacks) {
        expect(tactic, d.id).toMatch(/^TA00\d\d$/)
        expect(technique, d.id).toMatch(/^T\d{4}(?:\.\d{3})?$/)
      }
    }
  })
})

/** Fails when the page is not what it would be after `npm run docs`. */
async function fresh(path: string, blocks: Readonly<Record<string, string>>): Promise<void> {
  let page = read(path)
  for (const [name, content] of Object.entries(blocks)) page = withBlock(page, name, content)
  await expect(page, `${path} is stale: npm run docs`).toMatchFileSnapshot(join(ROOT, path))
}

describe('generated pages are fresh', () => {
  it('docs/sources.md', () => fresh('docs/sources.md', { sources: sourcesPage(sources.all) }))
  it('docs/detectors.md', () => fresh('docs/detectors.md', { detectors: detectorsPage(detectors.all) }))
  it('commands and formats in README.md', () =>
    fresh('README.md', { commands: commandsText(program.program), formats: formatsTable(sources.all) }))
  it('and main.ts knows every command', () => {
    const main = read('api/cli/main.ts')
    const called = [...dissect(main).code.matchAll(/^(register\w+)\(program\)$/gm)].map((m) => m[1])
    expect(called.sort()).toEqual([...program.registrars].sort())
    expect(importsOf(dissect(main))).toContain('commander')
  })
})

describe('pages written by hand are true', () => {
  it.each([
    ['api/config.ts', 'README.md'],
    ['api/kafka-config.ts', 'docs/kafka.md'],
  ])('every setting of %s is in %s, with its default', (source, page) => {
    // Names and defaults as the settings file declares them; `readConfig` proves that they are accepted.
    const declared = [
      ...read(source).matchAll(/^ {2}([A-Z][A-Z_]+): ([\s\S]*?),$(?=\n {2}[A-Z]|\n\}| as)/gm),
    ].map(([, name, rule]) => ({
      name,
      standard: /\.default\('?([^')]*)'?\)/.exec(rule ?? '')?.[1]?.replaceAll('_', '') ?? '',
    }))
    expect(declared.length).toBeGreaterThan(10)
    expect(() => readConfig({})).not.toThrow()
    const rows = [...read(page).matchAll(/^\| `([A-Z][A-Z_]+)` \| (?:`([^`]*)`|–) \|/gm)]
      .map(([, name, standard]) => ({ name, standard: standard ?? '' }))
      .filter(({ name }) => declared.some((setting) => setting.name === name))
    expect(rows).toEqual(declared.filter(({ name }) => name !== undefined))
  })
  it('every script that people are told to run exists', () => {
    const { scripts } = z
      .object({ scripts: z.record(z.string(), z.string()) })
      .parse(JSON.parse(read('package.json')))
    for (const page of ['README.md', 'CONTRIBUTING.md'])
      for (const [, script] of read(page).matchAll(/npm run ([a-z-]+)/g))
        expect(Object.keys(scripts), `${page}: npm run ${script}`).toContain(script)
  })
  it('docs/decisions.md explains every dependency', () => {
    const names = z.record(z.string(), z.string())
    const manifest = z
      .object({
        dependencies: names,
        optionalDependencies: names,
        peerDependencies: names,
        devDependencies: names,
      })
      .parse(JSON.parse(read('package.json')))
    const decisions = read('docs/decisions.md')
    const unexplained = Object.values(manifest)
      .flatMap((group) => Object.keys(group))
      .filter((name) => !decisions.includes(`\`${name}\``))
    expect(unexplained).toEqual([])
  })
  it('links and paths lead somewhere', () => {
    const broken: string[] = []
    for (const page of projectFiles.filter((path) => path.endsWith('.md'))) {
      const folder = page.includes('/') ? page.slice(0, page.lastIndexOf('/') + 1) : ''
      for (const [, target] of read(page).matchAll(/\]\((?!https?:|#|mailto:)([^)#]+)(?:#[^)]*)?\)/g)) {
        const path = join('/', folder, target ?? '')
          .slice(1)
          .replace(/\/$/, '')
        if (!projectFiles.some((p) => p === path || p.startsWith(`${path}/`)))
          broken.push(`${page}: ${target}`)
      }
      for (const [, path] of read(page).matchAll(
        /`((?:ingest|features|detectors|api|datasets|test|docs)\/[\w./-]+\.(?:ts|md))`/g,
      ))
        if (!projectFiles.includes(path ?? '')) broken.push(`${page}: ${path}`)
    }
    expect(broken).toEqual([])
  })
})

describe('marked blocks', () => {
  const page = withBlock(
    'a\n<!-- generated: x · `npm run docs` rewrites this block -->\nold\n<!-- end of x -->\nb\n',
    'x',
    'new',
  )
  it('are replaced and nothing else', () => {
    expect(page.startsWith('a\n<!-- generated: x')).toBe(true)
    expect(page.endsWith('<!-- end of x -->\nb\n')).toBe(true)
    expect(page).toContain('\n\nnew\n\n')
    expect(page).not.toContain('old')
    expect(withBlock(page, 'x', 'new')).toBe(page)
  })
  it('must be there, once', () => {
    expect(() => withBlock('a', 'x', 'new')).toThrow('one block')
    expect(() => withBlock(page + page, 'x', 'new')).toThrow('one block')
  })
  it('hold tables that no cell can break', () => {
    expect(table(['a', 'b'], [['1|2', 'x\ny']])).toBe('| a | b |\n| --- | --- |\n| 1\\|2 | x y |')
  })
})
