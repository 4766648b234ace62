import { it } from 'vitest'
import { startClickHouse } from '../../support/clickhouse-front.ts'
import { openEngine } from '../../../features/store/client.ts'
import { openStore } from '../../../features/store/connection.ts'
it('x', async () => {
  const t0 = performance.now()
  const front = await startClickHouse()
  console.log('started', performance.now() - t0)
  const get = async (q: string, body = '') => { const r = await fetch(`${front.url}/?${q}`, { method: 'POST', body }); return [r.status, r.headers.get('x-clickhouse-exception-code'), (await r.text()).slice(0, 200)] }
  console.log(await get('query=SELECT+1'), await get('', 'SELECT 1, 2 FORMAT JSONCompact'), await get('', 'SELEC'), await get('max_threads=3', "SELECT getSetting('max_threads')"), await get('', "SELECT getSetting('max_threads')"), await get('max_thrds=3', 'SELECT 1'), await get('database=nope', 'SELECT 1'), await get('', "SELECT number, throwIf(number = 190000) FROM numbers(200000) SETTINGS max_block_size = 1000"), await get('', 'SELECT 2'),
   await get('', 'SELECT * FROM system.processes'))
  const t = performance.now()
  await Promise.all(Array.from({ length: 20 }, () => get('', 'SELECT sleep(1)')))
  console.log('20 sleeps', performance.now() - t)
  const store = await openStore({ url: front.url, database: 'a' })
  console.log(await store.counts())
  await store.fence()
  await store.close()
  await front.fail({ mode: 'refuse' })
  console.log(await openEngine({ url: front.url }, 1).catch((e) => e.message), await front.heal())
  await front.kill(); await front.restart()
  const again = await openStore({ url: front.url, database: 'a' })
  await again.close()
  const t1 = performance.now()
  await front.stop()
  console.log('stopped', performance.now() - t1)
  await front.remove()
})
