import { describe, expect, it } from 'vitest'
import { loadSources } from '../../../ingest/sources.ts'

/** Each auth sample is recognised by its own source and by no other of all sources. */
const registry = await loadSources()
const auth = ['okta', 'entra-sign-in', 'keycloak', 'vault-audit', 'sshd']
const samples = auth.flatMap((id) =>
  (registry.byId(id)?.samples ?? []).map((sample) => [id, sample] as const),
)

describe('samples of the auth sources', () => {
  it('are there', () => {
    expect(new Set(samples.map(([id]) => id))).toEqual(new Set(auth))
  })

  it.each(samples.map(([id, sample]) => [id, sample.name, sample.record] as const))(
    '%s: %s',
    (id, _name, record) => {
      const takers = registry.all.filter((source) =>
        typeof record === 'string'
          ? (source.parseLine?.(record) ?? null) !== null
          : source.recognises(record),
      )
      expect(takers.map((source) => source.id)).toEqual([id])
    },
  )
})

describe('samples of all other sources', () => {
  const others = registry.all
    .filter((source) => !auth.includes(source.id))
    .flatMap((source) => source.samples.map((sample) => [source.id, sample.name, sample.record] as const))

  it.each(others)('%s: %s', (_id, _name, record) => {
    const takers = registry.all.filter(
      (source) =>
        auth.includes(source.id) &&
        (typeof record === 'string'
          ? (source.parseLine?.(record) ?? null) !== null
          : source.recognises(record)),
    )
    expect(takers.map((source) => source.id)).toEqual([])
  })
})
