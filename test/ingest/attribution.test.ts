import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Activity, Identity } from '../../ingest/activity.ts'
import { type Attribution, createAttribution } from '../../ingest/attribution.ts'
import { UNKNOWN_ORIGIN } from '../../ingest/origin.ts'

const identity = (id: string): Identity => ({
  id,
  kind: id === '' ? 'unknown' : 'client',
  provider: 'vault',
  tenant: 'root',
  human: 'no',
  humanReason: 'approle',
})

/** An activity of `who` ('' when the log does not say) with a token. */
function activity(who: string, tokenHash: string, changes: Partial<Activity> = {}): Activity {
  return {
    uid: `vault-audit:root:${who}-${tokenHash}`,
    time: 1_700_000_000_000,
    source: 'vault-audit',
    kind: 'auth',
    class: 'api_activity',
    identity: identity(who),
    action: 'read secret/data/{id}',
    service: 'secret/',
    accessLevel: 'read',
    effect: '',
    resourceClass: '',
    resources: [],
    outcome: 'success',
    errorCode: '',
    credential: who === '' ? '' : `accessor-${tokenHash}`,
    authMethod: '',
    session: '',
    issuance: {},
    origin: UNKNOWN_ORIGIN,
    userAgent: '',
    userAgentFamily: '',
    region: '',
    requestId: '',
    actingAs: '',
    bytesOut: 0,
    details: tokenHash === '' ? {} : { tokenHash },
    ...changes,
  }
}

const seen = (memory: Attribution, ...activities: Activity[]): Attribution => {
  for (const one of activities) memory.observe(memory.resolve(one))
  return memory
}

describe('attribution of dead tokens', () => {
  it('gives a nameless event to the identity and credential that used its token before, and keeps the rest', () => {
    const memory = seen(
      createAttribution({ capacity: 10 }),
      activity('payments', 'h1'),
      activity('ledger', 'h2'),
    )
    const nameless = activity('', 'h1', { outcome: 'denied' })
    expect(memory.resolve(nameless)).toEqual({
      ...nameless,
      identity: identity('payments'),
      credential: 'accessor-h1',
    })
  })

  it('leaves alone what names its identity, has no token, or whose token nobody used', () => {
    const memory = seen(createAttribution({ capacity: 10 }), activity('payments', 'h1'))
    for (const one of [
      activity('ledger', 'h1'),
      activity('', ''),
      activity('', 'h9'),
      activity('', 'h1', { source: 'x' }),
    ]) {
      expect(memory.resolve(one)).toBe(one)
    }
  })

  it('never learns from nameless events', () => {
    const memory = seen(createAttribution({ capacity: 10 }), activity('', 'h1'), activity('payments', ''))
    expect(memory.size()).toBe(0)
  })

  it('follows a token to its newest user, and keeps the credential a later line leaves out', () => {
    const memory = seen(
      createAttribution({ capacity: 10 }),
      activity('a', 'h1'),
      activity('a', 'h1', { credential: '' }),
    )
    expect(memory.resolve(activity('', 'h1')).credential).toBe('accessor-h1')
    seen(memory, activity('b', 'h1', { credential: '' }))
    expect(memory.resolve(activity('', 'h1'))).toMatchObject({ identity: { id: 'b' }, credential: '' })
  })

  it('forgets the token unused for longest, where the tries of a dead token count as use', () => {
    const memory = seen(createAttribution({ capacity: 2 }), activity('a', 'h1'), activity('b', 'h2'))
    seen(memory, activity('', 'h1'), activity('c', 'h3'))
    const owner = (hash: string): string => memory.resolve(activity('', hash)).identity.id
    expect([owner('h1'), owner('h2'), owner('h3'), memory.size()]).toEqual(['a', '', 'c', 2])
  })

  it('starts from what a store remembers', () => {
    const memory = createAttribution({ capacity: 2 })
    memory.load(
      ['h1', 'h2', 'h3'].map((tokenHash) => ({
        source: 'vault-audit',
        tokenHash,
        identity: identity(`of-${tokenHash}`),
        credential: 'c',
      })),
    )
    expect(memory.resolve(activity('', 'h3'))).toMatchObject({ identity: { id: 'of-h3' }, credential: 'c' })
    expect(memory.resolve(activity('', 'h1')).identity.id).toBe('')
  })

  it('is bounded and right about every token it still knows, over any sequence', () => {
    const event = fc.tuple(
      fc.constantFrom('', 'a', 'b', 'c'),
      fc.constantFrom('', 'h1', 'h2', 'h3', 'h4', 'h5'),
    )
    fc.assert(
      fc.property(fc.array(event), (events) => {
        const memory = createAttribution({ capacity: 3 })
        const truth = new Map<string, string>()
        for (const [who, hash] of events) {
          const resolved = memory.resolve(activity(who, hash))
          if (who === '') expect(['', truth.get(hash) ?? '']).toContain(resolved.identity.id)
          memory.observe(resolved)
          if (who !== '' && hash !== '') truth.set(hash, who)
          expect(memory.size()).toBeLessThanOrEqual(3)
          if (who !== '' && hash !== '') expect(memory.resolve(activity('', hash)).identity.id).toBe(who)
        }
      }),
    )
  })
})
