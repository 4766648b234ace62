import { afterAll, expect, it } from 'vitest'
import { createLogger } from '../../api/logger.ts'
import { openEngine } from '../../features/store/client.ts'
import { storeFolder } from '../support/store.ts'

const folder = storeFolder()
afterAll(() => folder.remove())

it('says of a failed statement what failed, and nothing of its rows and values', async () => {
  const engine = await openEngine({ path: folder.path, database: 'logger_test' }, 1)
  const [session] = engine.sessions
  if (session === undefined) throw new Error('no session')
  await session.run('CREATE TABLE t (identity String, n UInt32) ENGINE = MergeTree ORDER BY identity')
  let log = ''
  const logger = createLogger('info', {
    write: (line) => {
      log += line
    },
  })
  const failures = [
    session.insert('t', ['identity', 'n'], '["arn:secret","secret"]'),
    session.rows("SELECT 1 FROM absent WHERE identity IN ('arn:secret', 'it\\'s a secret')"),
    session.rows("SELECT toUInt8('secret')"),
  ]
  for (const failure of failures) await failure.catch((err: unknown) => logger.error({ err }, 'failed'))
  await session.close()
  await engine.release()
  expect(log.match(/"msg":"failed"/g)).toHaveLength(3)
  expect(log).toContain('store-write-failed')
  expect(log).toContain('Unknown table expression identifier')
  expect(log).not.toContain('secret')
})
