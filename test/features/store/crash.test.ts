import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { hourOf } from '../../../features/feature.ts'
import { openStore } from '../../../features/store/connection.ts'
import { type Compiled, compile } from '../../support/compiled.ts'
import { crashBatch, ROWS } from '../../support/crash-batch.ts'

const CYCLES = 12
const path = mkdtempSync(join(tmpdir(), 'plumbline-crash-'))
let compiled: Compiled
beforeAll(() => {
  compiled = compile(['features/store/connection.ts', 'test/support/crash-batch.ts'])
})
afterAll(() => {
  compiled.remove()
  rmSync(path, { recursive: true, force: true })
})

/**
 * A child that writes batches from `from` on and prints each number when it is durable, until it is killed. It begins by
 * writing the batch before again, as a replay does that does not know what came through.
 */
const writer = (from: number): string => `
  import { openStore } from ${JSON.stringify(compiled.module('features/store/connection.ts'))}
  import { crashBatch } from ${JSON.stringify(compiled.module('test/support/crash-batch.ts'))}
  const store = await openStore({ path: ${JSON.stringify(path)} })
  for (let number = ${from}; ; number++) { await store.write(crashBatch(number)); console.log(number) }`

it(`is exact after ${CYCLES} kills in the middle of writing`, async () => {
  let next = 0
  for (let cycle = 0; cycle < CYCLES; cycle++) {
    const child = spawn(process.execPath, ['--input-type=module', '-e', writer(next)], {
      stdio: ['ignore', 'pipe', 'ignore'],
    })
    const exited = once(child, 'exit')
    let written = 0
    for await (const line of createInterface({ input: child.stdout })) {
      next = Number(line) + 1
      written += 1
      // A little later each time: somewhere inside the statements of the next batch.
      if (written === 2) setTimeout(() => child.kill('SIGKILL'), cycle * 7)
    }
    expect(await exited).toEqual([null, 'SIGKILL'])
  }
  // The batch that was cut off is due once more.
  const store = await openStore({ path })
  await store.write(crashBatch(next))
  const batches = next + 1
  const loaded = await store.load(['crash 0', 'crash 1'])
  let closed = 0
  for (const stored of loaded.values()) {
    closed += stored.closedUnits + stored.settled.length
    // Nothing is open but what was closed and is replayed.
    const last = stored.settled.at(-1)?.hour ?? 0
    expect(stored.open.filter((a) => hourOf(a.time) > last)).toEqual([])
  }
  const summaries = [await store.analyst.identity('crash 0'), await store.analyst.identity('crash 1')]
  expect(summaries.reduce((sum, s) => sum + (s?.events ?? 0), 0)).toBe(batches * ROWS)
  expect(closed).toBe(batches * 2)
  expect(await store.checkRebuild()).toEqual([])
  expect((await store.analyst.alerts({ limit: 1000 })).items).toHaveLength(Math.min(batches, 1000))
  await store.close()
}, 120_000)
