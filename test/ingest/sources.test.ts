import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { afterEach, describe, expect, it } from 'vitest'
import { loadSources } from '../../ingest/sources.ts'

const made: string[] = []
afterEach(async () => {
  for (const folder of made.splice(0)) await rm(folder, { recursive: true, force: true })
})

/** A folder of catalogue files as they lie in `dist`: JavaScript, with maps and declarations beside it. */
async function folderOf(files: Readonly<Record<string, string>>): Promise<URL> {
  const folder = await mkdtemp(join(tmpdir(), 'plumbline-sources-'))
  made.push(folder)
  await writeFile(join(folder, 'package.json'), '{"type":"module"}')
  for (const [name, text] of Object.entries(files)) await writeFile(join(folder, name), text)
  return pathToFileURL(`${folder}/`)
}

const json = (id: string, key = id): string =>
  `export const source = { id: '${id}', kind: 'auth', format: 'json', samples: [], read() {}, recognises: (r) => '${key}' in r }`
const text = (id: string, start: string): string =>
  `export const source = { id: '${id}', kind: 'auth', format: 'text', samples: [], read() {}, recognises: () => false,
   parseLine: (line) => line.startsWith('${start}') ? { line } : null }`

describe('a folder of sources', () => {
  it('is scanned in the order of ids; maps, declarations and other files are no sources', async () => {
    const registry = await loadSources(
      await folderOf({
        'beta.js': json('beta'),
        'alpha.js': json('alpha'),
        'alpha.js.map': '{}',
        'alpha.d.ts': 'export declare const source: never',
        'README.md': '# no source',
      }),
    )
    expect(registry.all.map((source) => source.id)).toEqual(['alpha', 'beta'])
    expect(registry.byId('beta')).toBe(registry.all[1])
    expect(registry.byId('gamma')).toBeUndefined()
    expect(registry.byId('__proto__')).toBeUndefined()
    expect(registry.recognise({ beta: 1 })?.id).toBe('beta')
    expect(registry.recognise({ gamma: 1 })).toBeUndefined()
  })

  it('asks the sources of lines for lines', async () => {
    const registry = await loadSources(
      await folderOf({
        'alpha.js': json('alpha'),
        'beta.js': text('beta', 'b:'),
        'gamma.js': text('gamma', 'g:'),
      }),
    )
    expect(registry.recogniseLine('g: x')).toEqual({
      source: registry.byId('gamma'),
      record: { line: 'g: x' },
    })
    expect(registry.recogniseLine('alpha')).toBeUndefined()
  })

  it('refuses to start with every problem at once', async () => {
    const folder = await folderOf({
      'broken.js': 'throw new Error("no luck")',
      'empty.js': 'export const nothing = 1',
      'good.js': json('good'),
      'kindless.js': json('kindless').replace("'auth'", "'weather'"),
      'lineless.js': json('lineless').replace("'json'", "'text'"),
      'renamed.js': json('other'),
      'twice.js': json('twice'),
      'twice.ts': json('twice'),
    })
    const error: unknown = await loadSources(folder).catch((thrown: unknown) => thrown)
    if (!(error instanceof Error)) throw new Error('it started')
    expect('code' in error && error.code).toBe('invalid-catalogue')
    expect(error.message.split('\n').slice(1)).toEqual([
      expect.stringMatching(/^broken\.js: cannot be loaded: .*no luck/),
      'empty.js: exports no source made by defineSource',
      'kindless.js: exports no source made by defineSource',
      'lineless.js: exports no source made by defineSource',
      'renamed.js: its id is "other", not the file name',
      'twice.ts: a second source twice',
    ])
    expect(error.cause).toBeInstanceOf(AggregateError)
  })
})
