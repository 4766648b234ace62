import { describe, expect, it } from 'vitest'
import { source } from '../../../ingest/sources/sshd.ts'
import { countBy, describeSamples, draftsOf, hasData, read, realLines, tally } from './auth-reading.ts'

describeSamples(source)

describe('try', () => {
  it('x', () => {
    const vs = realLines(`auth-elastic-sshd/auth.log.gz`).map((r) =>
      read(source, r, { arrival: Date.parse('2017-05-01T00:00:00Z') }),
    )
    console.log(
      tally(vs),
      countBy(
        draftsOf(vs),
        (d) =>
          `${d.identity.id} ${d.action} ${d.outcome} ${d.errorCode}  ${d.effect} ${d.credential} ${d.authMethod} ${d.actingAs}`,
      ),
    )
  })
})
