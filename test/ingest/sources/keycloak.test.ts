import { describe, expect, it } from 'vitest'
import { source } from '../../../ingest/sources/keycloak.ts'
import { countBy, describeSamples, draftsOf, hasData, read, realRecords, tally } from './auth-reading.ts'

describeSamples(source)

describe('try', () => {
  it('x', () => {
    for (const v of ['26.7.5', '26.4.0']) {
      const vs = realRecords(`keycloak-own/events-${v}.ndjson.gz`).map((r) => read(source, r))
      console.log(
        tally(vs),
        countBy(
          draftsOf(vs),
          (d) =>
            `${d.identity.id} ${d.action} ${d.outcome} ${d.errorCode} ${d.origin} ${d.effect} ${d.credential} ${d.authMethod}`,
        ),
      )
      console.log(
        draftsOf(vs)
          .filter((d) => d.class === 'api_activity')
          .map((d) => [d.action, d.effect, d.details, d.resources]),
      )
    }
  })
})
