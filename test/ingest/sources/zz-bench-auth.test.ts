import { it } from 'vitest'
import { source as entra } from '../../../ingest/sources/entra-sign-in.ts'
import { entraRecord } from '../../../ingest/entra-record.ts'
import { machine } from '../../../ingest/entra-identity.ts'
import { named } from '../../../ingest/entra-record.ts'
import { operationEffect } from '../../../ingest/entra-meaning.ts'
import { defineSource } from '../../../ingest/source.ts'
import { accepted } from '../../../ingest/outcome.ts'
import { realRecords } from './auth-reading.ts'
function bench(name: string, f: (r: any) => unknown, rs: any[]) {
  for (let i = 0; i < 3000; i++) for (const r of rs) f(r)
  const n = Math.ceil(60000 / rs.length); const t = performance.now()
  for (let i = 0; i < n; i++) for (const r of rs) f(r)
  console.log(name, rs.length, (((performance.now() - t) * 1000) / (n * rs.length)).toFixed(2), 'us')
}
it('bench', async () => {
  const p: any[] = realRecords('auth-panther-cases/cases.ndjson.gz').map((r: any) => r.log).filter((r) => entra.recognises(r))
  const ctx = { tenant: '', arrival: 0, recordHash: () => 'h' }
  const s2 = defineSource({ ...(entra as any), schema: entraRecord, normalise: (r: any) => accepted(r) })
  bench('parse via define', (r) => s2.read(r, ctx), p)
  bench('machine', (r) => machine('t', r.properties, 'service-principal'), p)
  bench('named', (r) => named({ a: 'b', c: undefined }), p)
  bench('op', (r) => operationEffect('Update conditional access policy', []), p)
  bench('parse', (r) => entraRecord.safeParse(r), p)
  bench('read', (r) => entra.read(r, ctx), p)
}, 60000)
