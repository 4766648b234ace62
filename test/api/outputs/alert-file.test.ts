import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, it, vi } from 'vitest'
import { openAlertSink } from '../../../api/outputs/alert-file.ts'
import type { PublishedAlert } from '../../../api/pipeline.ts'
import { ndjson, tampering, testService } from '../../support/service.ts'
import { storeFolder } from '../../support/store.ts'

const folder = mkdtempSync(join(tmpdir(), 'plumbline-findings-'))
const stores = storeFolder()
afterAll(async () => {
  await stores.remove()
  rmSync(folder, { recursive: true, force: true })
})

async function alerts(): Promise<readonly PublishedAlert[]> {
  const service = await testService(await stores.open())
  await service.app.inject({ method: 'POST', url: '/v1/ingest/auto', payload: ndjson([tampering('one')]) })
  await service.stop()
  return service.published
}

it('takes back the half of a line that a full disk took, so that what comes again stands on a line of its own', async () => {
  const published = await alerts()
  expect(published.length).toBeGreaterThan(0)
  const path = join(folder, 'findings.ndjson')
  const sink = await openAlertSink(path, '0.0.0-test')
  await sink.write(published)
  const other = await open(path)
  const prototype: Pick<FileHandle, 'appendFile'> = Object.getPrototypeOf(other)
  const full = vi.spyOn(prototype, 'appendFile').mockImplementationOnce(async function (
    this: FileHandle,
    text,
  ) {
    await this.write(String(text).slice(0, 100))
    throw Object.assign(new Error('ENOSPC: no space left on device, write'), { code: 'ENOSPC' })
  })
  const [failed, next] = await Promise.allSettled([sink.write(published), sink.write(published)])
  full.mockRestore()
  expect(failed?.status).toBe('rejected')
  expect(next?.status).toBe('fulfilled')
  await sink.close()
  await other.close()
  const lines = readFileSync(path, 'utf8').split('\n').slice(0, -1)
  expect(lines).toHaveLength(2 * published.length)
  for (const line of lines) expect(JSON.parse(line)).toHaveProperty('finding_info.uid')
})
