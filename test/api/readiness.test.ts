import { afterAll, expect, it } from 'vitest'
import { testService } from '../support/service.ts'
import { storeFolder } from '../support/store.ts'

const folder = storeFolder()
afterAll(() => folder.remove())

it('asks the store one question for all who want to know whether it is ready', async () => {
  const store = await folder.open()
  let asked = 0
  let answer = (): void => {}
  const service = await testService(
    {
      ...store,
      cursor: async (name) => {
        if (name === 'ready') {
          asked += 1
          await new Promise<void>((resolve) => {
            answer = resolve
          })
        }
        return store.cursor(name)
      },
    },
    { token: '0123456789abcdef' },
  )
  const ready = () => service.app.inject({ url: '/ready' })
  const waiting = Array.from({ length: 50 }, ready)
  await expect.poll(() => asked).toBeGreaterThan(0)
  for (let turn = 0; turn < 50; turn++) await new Promise((resolve) => setImmediate(resolve))
  expect(asked).toBe(1)
  answer()
  for (const one of await Promise.all(waiting)) expect(one.statusCode).toBe(200)
  const later = ready()
  await expect.poll(() => asked).toBe(2)
  answer()
  expect((await later).statusCode).toBe(200)
  await service.stop()
})
