import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { afterEach, expect, it } from 'vitest'
import { loadDetectors } from '../../detectors/detectors.ts'

const made: string[] = []
afterEach(async () => {
  for (const folder of made.splice(0)) await rm(folder, { recursive: true, force: true })
})

async function folderOf(files: Readonly<Record<string, string>>): Promise<URL> {
  const folder = await mkdtemp(join(tmpdir(), 'plumbline-detectors-'))
  made.push(folder)
  await writeFile(join(folder, 'package.json'), '{"type":"module"}')
  for (const [name, text] of Object.entries(files)) await writeFile(join(folder, name), text)
  return pathToFileURL(`${folder}/`)
}

const detector = (id: string): string =>
  `export const detector = { id: '${id}', family: 'geography', trigger: { on: 'activity' }, score: () => null }`

it('scans a folder in the order of ids, past maps and declarations', async () => {
  const registry = await loadDetectors(
    await folderOf({
      'beta.js': detector('beta'),
      'alpha.js': detector('alpha'),
      'alpha.js.map': '{}',
      'alpha.d.ts': 'export declare const detector: never',
    }),
  )
  expect(registry.all.map(({ id }) => id)).toEqual(['alpha', 'beta'])
  expect(registry.byId('beta')).toBe(registry.all[1])
  expect(registry.byId('gamma')).toBeUndefined()
})

it('refuses to start with every problem at once, files that cannot be loaded among them', async () => {
  const folder = await folderOf({
    'broken.js': 'throw new Error("no luck")',
    'empty.js': 'export const nothing = 1',
    'good.js': detector('good'),
    'homeless.js': detector('homeless').replace('geography', 'astrology'),
    'renamed.js': detector('other'),
    'syntax.js': 'export const detector = {',
    'twice.js': detector('twice'),
    'twice.ts': detector('twice'),
  })
  const error: unknown = await loadDetectors(folder).catch((thrown: unknown) => thrown)
  if (!(error instanceof Error)) throw new Error('it started')
  expect('code' in error && error.code).toBe('invalid-catalogue')
  expect(error.message.split('\n')).toEqual([
    'Detector catalogue is invalid:',
    expect.stringMatching(/^broken\.js: cannot be loaded: .*no luck/),
    'empty.js: exports no detector made by defineDetector',
    'homeless.js: exports no detector made by defineDetector',
    'renamed.js: its id is "other", not the file name',
    expect.stringMatching(/^syntax\.js: cannot be loaded: /),
    'twice.ts: a second detector twice',
  ])
  expect(error.cause).toBeInstanceOf(AggregateError)
})
