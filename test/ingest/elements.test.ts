import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  bytesOf,
  ElementList,
  elementRanges,
  memberRange,
  type Place,
  recordBytes,
} from '../../ingest/elements.ts'

const elements = (text: string): string[] => {
  const bytes = Buffer.from(text)
  const ranges = elementRanges(bytes, { start: 0, end: bytes.length })
  const found: string[] = []
  for (let at = 0; at < ranges.length; at += 2) found.push(bytes.toString('utf8', ranges[at], ranges[at + 1]))
  return found
}

const member = (text: string, key: string, cut = false): string | undefined => {
  const bytes = Buffer.from(text)
  const range = memberRange(bytes, { start: 0, end: bytes.length }, key, { cut })
  return range === undefined ? undefined : bytes.toString('utf8', range.start, range.end)
}

describe('elementRanges', () => {
  it('finds the exact bytes of each element', () => {
    expect(elements(' [ {"a" : "]\\"}"} ,\n 1.50,"é,[" , [ [ ] ],null , {} ]')).toEqual([
      '{"a" : "]\\"}"}',
      '1.50',
      '"é,["',
      '[ [ ] ]',
      'null',
      '{}',
    ])
    expect(elements('[]')).toEqual([])
    expect(elements('{"a":[1]}')).toEqual([])
  })

  it('leaves out an element that is cut', () => {
    expect(elements('[{"a":1},{"b":2},{"c"')).toEqual(['{"a":1}', '{"b":2}'])
    expect(elements('[1,23')).toEqual(['1'])
    expect(elements('["a","b')).toEqual(['"a"'])
    expect(elements('[{"a":"\\')).toEqual([])
  })

  it('agrees with JSON.parse on every array', () => {
    fc.assert(
      fc.property(fc.array(fc.jsonValue(), { maxLength: 8 }), fc.constantFrom(0, 1, 3), (values, indent) => {
        const found = elements(JSON.stringify(values, null, indent))
        expect(found.map((text) => JSON.parse(text))).toEqual(JSON.parse(JSON.stringify(values)))
      }),
    )
  })

  it('ends on any bytes', () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom('[', ']', '{', '}', '"', '\\', ',', ':', '1', ' ')), (parts) => {
        const text = `[${parts.join('')}`
        const found = elements(text)
        expect(found.join('').length).toBeLessThanOrEqual(text.length)
        expect(found.every((element) => element.length > 0)).toBe(true)
        member(`{${parts.join('')}`, 'a', true)
      }),
      { numRuns: 1000 },
    )
  })

  it('is not impressed by depth', () => {
    const deep = `[${'['.repeat(1_000_000)}${']'.repeat(1_000_000)},2]`
    expect(elements(deep).map((text) => text.length)).toEqual([2_000_000, 1])
    expect(elements('['.repeat(1_000_000))).toEqual([])
  })
})

describe('memberRange', () => {
  it('finds a member; of several the last, as JSON.parse does', () => {
    expect(member('{"a":1,"Records" : [ 1 ] ,"b":{"Records":2}}', 'Records')).toBe('[ 1 ]')
    expect(member('{"Records":1,"Records":2}', 'Records')).toBe('2')
    expect(member('{"Rec\\u006frds":3}', 'Records')).toBe('3')
    expect(member('{"a":{"Records":2}}', 'Records')).toBeUndefined()
    expect(member('[]', 'Records')).toBeUndefined()
  })

  it('gives a cut value only when asked', () => {
    expect(member('{"Records":[1,2', 'Records', true)).toBe('[1,2')
    expect(member('{"Records":[1,2', 'Records')).toBeUndefined()
  })
})

describe('places', () => {
  const root: Place = { kind: 'root', bytes: Buffer.from('{ "detail": {"Records": [ {"a":1} , {"b":2}]}}') }
  const detail: Place = { kind: 'member', parent: root, key: 'detail' }
  const list = new ElementList({ kind: 'member', parent: detail, key: 'Records' })
  const second: Place = { kind: 'element', list, index: 1 }

  it('resolve to bytes through members and elements', () => {
    expect(bytesOf(detail).toString()).toBe('{"Records": [ {"a":1} , {"b":2}]}')
    expect(bytesOf(second).toString()).toBe('{"b":2}')
  })

  it('give a record its wrapper, up to the next list', () => {
    expect(recordBytes(detail).toString()).toBe(root.bytes.toString())
    expect(recordBytes({ kind: 'member', parent: second, key: 'b' }).toString()).toBe('{"b":2}')
  })

  it('go into payloads', () => {
    const payload: Place = { kind: 'payload', parent: second, payload: '[ 1, {"x": "é"} ]' }
    expect(bytesOf({ kind: 'element', list: new ElementList(payload), index: 1 }).toString()).toBe(
      '{"x": "é"}',
    )
    expect(recordBytes(payload).toString()).toBe('{"b":2}')
  })

  it('scan a list once, however many of its elements are wanted', () => {
    const count = 100_000
    const place: Place = { kind: 'root', bytes: Buffer.from(`[${'{"a":1},'.repeat(count - 1)}{"a":1}]`) }
    const long = new ElementList(place)
    const started = performance.now()
    for (let index = 0; index < count; index++) {
      expect(bytesOf({ kind: 'element', list: long, index }).length).toBe(7)
    }
    // A scan for each would take minutes.
    expect(performance.now() - started).toBeLessThan(10_000)
  })
})
