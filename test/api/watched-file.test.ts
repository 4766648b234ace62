import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, it } from 'vitest'
import { readOn } from '../../api/watched-file.ts'
import { loadSources } from '../../ingest/sources.ts'

const folder = mkdtempSync(join(tmpdir(), 'plumbline-watched-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

it('does not wait for a writer when a pipe has taken the place of a file since it was listed', async () => {
  const path = join(folder, 'app.log')
  execFileSync('mkfifo', [path])
  const outcome = await readOn({ path, key: 'file:1:1' }, undefined, {
    intake: { ingest: () => Promise.reject(new Error('there is nothing to take')) },
    registry: await loadSources(),
    now: Date.now(),
    settleMs: 5000,
    remember: () => Promise.reject(new Error('there is nothing to remember')),
    stopping: () => false,
  })
  expect(outcome).toMatchObject({ state: 'moved', records: 0 })
}, 5000)
