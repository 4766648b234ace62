import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { deadLetterUid, decodeBase64, exportDeadLetter, importDeadLetter } from '../../ingest/dead-letters.ts'
import { type DeadLetter, dead } from '../../ingest/outcome.ts'
import { bytesOfLetter, fake, interpret, words } from './fake-sources.ts'

const letter: DeadLetter = {
  verdict: dead('parse', 'wrong-type', 'fake: t: expected number'),
  position: { origin: 'logs/a.json', line: 3, offset: 120, index: 2 },
  source: 'fake-json',
  bytes: Buffer.from('{"fake":"a","t":"é"}'),
}

describe('dead letters', () => {
  it('survive export and import with any bytes', () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 300 }),
        fc.string({ unit: 'binary' }),
        fc.nat(),
        (bytes, origin, at) => {
          const some = {
            ...letter,
            bytes: Buffer.from(bytes),
            position: { origin, line: at, offset: at, index: at },
          }
          const line = exportDeadLetter(some)
          expect(line).not.toContain('\n')
          expect(importDeadLetter(JSON.parse(line))).toEqual(some)
        },
      ),
    )
  })

  it('have an id that depends on place and bytes alone', () => {
    const uid = deadLetterUid(letter)
    expect(uid).toMatch(/^[0-9a-f]{32}$/)
    expect(deadLetterUid({ ...letter, verdict: dead('read', 'other', ''), source: '' })).toBe(uid)
    const others = [
      { ...letter, bytes: Buffer.from('x') },
      { ...letter, position: { ...letter.position, origin: 'b' } },
      { ...letter, position: { ...letter.position, offset: 121 } },
      { ...letter, position: { ...letter.position, index: 3 } },
    ]
    for (const other of others) expect(deadLetterUid(other)).not.toBe(uid)
    expect(JSON.parse(exportDeadLetter(letter)).uid).toBe(uid)
  })

  it('refuse a line that is not intact', () => {
    const good = JSON.parse(exportDeadLetter(letter))
    expect(importDeadLetter(good)).toEqual(letter)
    const bad = [
      { plumbline_dead_letter: 2 },
      { bytes: 7 },
      { bytes: 'no base64!' },
      { stage: 'x' },
      { line: -1 },
    ]
    const worse = [
      { offset: 1.5 },
      { origin: null },
      { reason: 1 },
      { detail: [] },
      { source: {} },
      { index: '0' },
    ]
    for (const change of [...bad, ...worse]) expect(importDeadLetter({ ...good, ...change })).toBeUndefined()
  })

  it('are judged anew when they are read again', () => {
    const mended = exportDeadLetter({ ...letter, bytes: Buffer.from(fake('a', 5)) })
    expect(words(interpret(mended))).toEqual(['a@5'])
    const text = exportDeadLetter({ ...letter, bytes: Buffer.from('FAKE 7 b') })
    expect(words(interpret(text))).toEqual(['b@7'])
  })

  it('die again with the same bytes, and do not nest', () => {
    for (const bytes of [
      '{"fake":"a","t":"x"}',
      'half a li',
      '{"half',
      '[1]',
      '{"what":1}',
      '\xff\xfe',
      '',
    ]) {
      const [again] = interpret(exportDeadLetter({ ...letter, bytes: Buffer.from(bytes, 'latin1') }))
      expect(again?.verdict.outcome).toBe('dead')
      if (bytes === '') expect(again?.verdict).toMatchObject({ reason: 'bad-dead-letter' })
      else if (bytes === '[1]') expect(bytesOfLetter(again)).toBe('1')
      else expect(again?.letter?.bytes).toEqual(Buffer.from(bytes, 'latin1'))
    }
  })
})

describe('decodeBase64', () => {
  it('decodes what is base64 and refuses what is not', () => {
    expect(decodeBase64('aGk=')?.toString()).toBe('hi')
    expect(decodeBase64('aGk')?.toString()).toBe('hi')
    expect(decodeBase64('aG\nk=')?.toString()).toBe('hi')
    expect(decodeBase64('not base64!')).toBeUndefined()
    expect(decodeBase64('a*b*')).toBeUndefined()
  })
})
