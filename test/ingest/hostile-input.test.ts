import { describe, expect, it } from 'vitest'
import { bytesOfLetter, chunksOf, fake, interpret, readAll, wordOf, words } from './fake-sources.ts'

/** What nobody means to send and somebody will: each case must end in verdicts that add up, and never in an exception. */

const KIND = 'dead:parse/not-json'
const KNOWN = fake('ok', 9)

describe('hostile input', () => {
  it('half a line at the end', async () => {
    const { records, tally } = await readAll(`${KNOWN}\n${KNOWN.slice(0, 9)}`)
    expect(words(records)).toEqual(['ok@9', KIND])
    expect(bytesOfLetter(records[1])).toBe(KNOWN.slice(0, 9))
    expect(tally).toMatchObject({ read: 2, accepted: 1, dead: 1 })
  })

  it('a line of 50 MB, whole', async () => {
    const line = JSON.stringify({ fake: 'big', t: 1, pad: 'x'.repeat(50_000_000) })
    const { records } = await readAll(chunksOf(Buffer.from(`${KNOWN}\n${line}\n${KNOWN}`), 64 * 1024))
    expect(words(records)).toEqual(['ok@9', 'big@1', 'ok@9'])
  })

  it('a line of 50 MB beyond the limit: only its head is kept, and reading goes on', async () => {
    async function* endless(): AsyncGenerator<Buffer> {
      yield Buffer.from(`${KNOWN}\n{"fake":"`)
      const piece = Buffer.alloc(1_000_000, 120)
      for (let i = 0; i < 50; i++) yield piece
      yield Buffer.from(`\n${KNOWN}\n`)
    }
    const { records } = await readAll(endless(), { maxLineBytes: 1_000_000 })
    expect(words(records)).toEqual(['ok@9', 'dead:read/line-too-long', 'ok@9'])
    expect(records[1]?.letter?.bytes.length).toBe(64 * 1024)
    expect(records[1]?.verdict).toMatchObject({ detail: '50000009 bytes, the limit is 1000000' })
    expect(records[1]?.letter?.position).toEqual({
      origin: 'test',
      line: 2,
      offset: KNOWN.length + 1,
      index: 0,
    })
  })

  it('10 000 levels of arrays, of objects, and of brackets that never close', async () => {
    const arrays = `${'['.repeat(10_000)}${']'.repeat(10_000)}`
    const objects = `${'{"a":'.repeat(10_000)}1${'}'.repeat(10_000)}`
    const inside = `{"fake":"deep","t":1,"x":${arrays}}`
    const open = '['.repeat(10_000)
    const { records } = await readAll(
      [KNOWN, arrays, objects, inside, open, '{"a":'.repeat(10_000), ''].join('\n'),
    )
    expect(words(records)).toEqual([
      'ok@9',
      'dead:container/too-deep',
      'dead:recognise/unrecognised',
      'deep@1',
      KIND,
      KIND,
    ])
    expect(words((await readAll(open)).records)).toEqual([KIND])
  })

  it('a hash of a record too deep to write ends in a verdict', () => {
    const deep = `{"fake":"deep","t":1,"hash":true,"x":${'['.repeat(100_000)}${']'.repeat(100_000)}}`
    expect(interpret(deep).length).toBe(1)
  })

  it('containers in containers in containers', () => {
    let inner = KNOWN
    for (let i = 0; i < 12; i++) inner = JSON.stringify({ Records: [{ body: inner }] })
    expect(words(interpret(inner))).toEqual(['dead:container/too-deep'])
  })

  it('invalid UTF-8: the bytes are kept as they were', async () => {
    const bad = Buffer.concat([
      Buffer.from('{"fake":"'),
      Buffer.from([0xff, 0xc3, 0x28]),
      Buffer.from('","t":1}'),
    ])
    const { records } = await readAll(
      Buffer.concat([Buffer.from(`${KNOWN}\n`), bad, Buffer.from(`\n${KNOWN}\n`)]),
    )
    expect(words(records)).toEqual(['ok@9', 'dead:read/invalid-utf8', 'ok@9'])
    expect(records[1]?.letter?.bytes.equals(bad)).toBe(true)
  })

  it('a replacement character that was really written is no error', () => {
    expect(words(interpret(fake('a\ufffd')))).toEqual(['a\ufffd@1'])
    expect(words(interpret('FAKE 1 \ufffd'))).toEqual(['\ufffd@1'])
  })

  it('lone surrogates, as escapes', () => {
    expect(words(interpret('{"fake":"\\ud800","t":1}'))).toEqual(['\ud800@1'])
    const records = interpret(
      '{"Message":"{\\"Records\\":[{\\"x\\":\\"\\ud800\\"},null,{\\"fake\\":\\"a\\",\\"t\\":1}]}"}',
    )
    expect(words(records)).toEqual(['dead:recognise/unrecognised', 'dead:container/not-an-object', 'a@1'])
    // A lone surrogate has no UTF-8 form.
    expect(bytesOfLetter(records[0])).toBe('{"x":"\ufffd"}')
    expect(bytesOfLetter(records[1])).toBe('null')
  })

  it('NUL, raw and escaped', async () => {
    const { records } = await readAll('{"fake":"a\0","t":1}\nFAKE 1 \0\n{"fake":"a\\u0000","t":1}\n')
    expect(words(records)).toEqual(['dead:read/nul-byte', 'dead:read/nul-byte', 'a\0@1'])
  })

  it('__proto__, constructor and toString as names', () => {
    const hostile = [
      '{"__proto__":{"fake":"p","t":1}}',
      '{"constructor":{"prototype":{"fake":"p"}},"toString":1}',
      '{"__proto__":{"Records":[{"fake":"p","t":1}]}}',
      '[{"__proto__":{"fake":"p","t":1}}]',
    ]
    for (const line of hostile) expect(words(interpret(line))).toEqual(['dead:recognise/unrecognised'])
    expect(words(interpret('{"__proto__":{"t":7},"fake":"a","t":1}'))).toEqual(['a@1'])
    expect(Object.hasOwn(Object.prototype, 'fake')).toBe(false)
  })

  it('duplicate keys: the last counts, for the record and for its bytes', () => {
    expect(words(interpret('{"fake":"a","t":1,"fake":"b","t":2}'))).toEqual(['b@2'])
    const records = interpret('{"Records":[{"fake":"a","t":1}],"Records":[{"x":1}]}')
    expect(words(records)).toEqual(['dead:recognise/unrecognised'])
    expect(bytesOfLetter(records[0])).toBe('{"x":1}')
  })

  it('numbers beyond 2^53 and beyond any number, in dead letters digit by digit', () => {
    const line = '[{"n":9007199254740993},{"n":1e999},{"n":-0}]'
    expect(interpret(line).map(bytesOfLetter)).toEqual(['{"n":9007199254740993}', '{"n":1e999}', '{"n":-0}'])
    expect(interpret('{"fake":"a","t":1e999}').map(wordOf)[0]).toMatch(/^dead:/)
  })

  it('dates from 1970 to 9999: the past is taken, the future is kept as dead letters', async () => {
    const times = [0, 1, Date.UTC(2038, 0, 20), Date.UTC(9999, 11, 31)]
    const { records } = await readAll(times.map((time) => fake('a', time)).join('\n'))
    expect(records.slice(0, 2).map(({ time }) => time)).toEqual(times.slice(0, 2))
    for (const { verdict, letter } of records.slice(2)) {
      expect(verdict).toMatchObject({ outcome: 'dead', reason: 'time-in-future' })
      expect(letter?.bytes.length).toBeGreaterThan(0)
    }
  })

  it('null, numbers, strings and booleans where a record should be', async () => {
    const { records, tally } = await readAll(
      `${KNOWN}\nnull\n12\n"text"\ntrue\n[null]\n{"Records":null}\n{}\n`,
    )
    expect(words(records)).toEqual([
      'ok@9',
      KIND,
      KIND,
      KIND,
      KIND,
      'dead:container/not-an-object',
      'dead:recognise/unrecognised',
      'dead:recognise/unrecognised',
    ])
    expect(tally).toMatchObject({ read: 8, accepted: 1, dead: 7 })
  })

  it('wrong types all through a container', () => {
    for (const value of ['1', '"x"', 'null', '{}', '[[]]', '[{}]', 'true']) {
      const names = [
        'Records',
        'logEvents',
        'Message',
        'Body',
        'Sns',
        'kinesis',
        'awslogs',
        'data',
        'log',
        'message',
        'event',
      ]
      for (const name of [...names, 'detail-type', 'items', 'plumbline_dead_letter', 'CloudTrailEvent']) {
        const records = interpret(`{"${name}":${value},"kind":"EventList"}`)
        expect(records.every(({ verdict }) => verdict.outcome === 'dead')).toBe(true)
      }
    }
  })

  it('a table called .json: one verdict for each line', async () => {
    const table = `time,user,action\n${'2026-01-01,me,"read, write"\n'.repeat(1000)}`
    const { records, tally } = await readAll(table)
    expect(new Set(words(records))).toEqual(new Set([KIND]))
    expect(tally).toMatchObject({ read: 1001, accepted: 0, filtered: 0, dead: 1001, lines: 1001 })
  })

  it('an empty input, and one of nothing but white space', async () => {
    for (const nothing of ['', '\n', ' \r\n\t\n   ']) expect((await readAll(nothing)).tally.read).toBe(0)
  })

  it('a dead letter never says what a record said', () => {
    for (const line of [
      '{"password":"hunter2"',
      'password=hunter2',
      '{"password":"hunter2"}',
      '["hunter2"]',
    ]) {
      for (const { verdict } of interpret(line)) expect(JSON.stringify(verdict)).not.toContain('hunter2')
    }
  })

  it('a hundred thousand brackets on as many lines take linear time', async () => {
    const started = performance.now()
    const { tally } = await readAll('[\n'.repeat(100_000))
    expect(tally.read).toBe(100_000)
    const { tally: nested } = await readAll('{"a":[\n'.repeat(100_000))
    expect(nested.read).toBe(100_000)
    const { tally: objects } = await readAll('{"Records":[\n'.repeat(100_000))
    expect(objects.read).toBeGreaterThan(0)
    expect(performance.now() - started).toBeLessThan(30_000)
  })

  it('eighty thousand small documents take linear time', async () => {
    // The first one is spread over two lines, which is what makes all of them documents; quadratic took 9 seconds.
    const body = Buffer.from(`{\n}\n${'{}\n'.repeat(80_000)}`)
    const started = performance.now()
    const { records } = await readAll(body)
    expect(records).toHaveLength(80_001)
    expect(performance.now() - started).toBeLessThan(3000)
  })

  it('a hundred thousand dead elements on one line take linear time and space', () => {
    const line = JSON.stringify({
      Message: JSON.stringify({ Records: Array.from({ length: 100_000 }, () => null) }),
    })
    const started = performance.now()
    const records = interpret(line)
    expect(records.length).toBe(100_000)
    const kept = records.reduce((sum, { letter }) => sum + (letter?.bytes.length ?? 0), 0)
    expect(kept).toBe(400_000)
    expect(performance.now() - started).toBeLessThan(10_000)
  })
})
