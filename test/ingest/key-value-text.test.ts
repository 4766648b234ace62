import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { readPairs } from '../../ingest/key-value-text.ts'

const pairs = (text: string): [string, string][] => [...readPairs(text)]

describe('pairs of a text', () => {
  it.each<[string, string, [string, string][]]>([
    [
      'double quotes',
      'type="LOGIN", realmId="r"',
      [
        ['type', 'LOGIN'],
        ['realmId', 'r'],
      ],
    ],
    [
      'a comma inside',
      'a="x, b=y", c="z"',
      [
        ['a', 'x, b=y'],
        ['c', 'z'],
      ],
    ],
    [
      'escaped quotes',
      'r="{\\"id\\":\\"1\\"}", s="t"',
      [
        ['r', '{"id":"1"}'],
        ['s', 't'],
      ],
    ],
    [
      'an escaped backslash at the end',
      'a="x\\\\", b="y"',
      [
        ['a', 'x\\'],
        ['b', 'y'],
      ],
    ],
    [
      'plain values of older servers',
      "type=LOGIN, scope='a b', c=",
      [
        ['type', 'LOGIN'],
        ['scope', 'a b'],
        ['c', ''],
      ],
    ],
    [
      'a text cut off',
      'type="LOGIN", r="{\\"i',
      [
        ['type', 'LOGIN'],
        ['r', '{"i'],
      ],
    ],
    ['a text cut off in an escape', 'a="x\\', [['a', 'x\\']]],
    ['the first of equal keys', 'ip="1", ip="2"', [['ip', '1']]],
    ['dangerous names are names', '__proto__="x"', [['__proto__', 'x']]],
    ['no name', '="x", b="y"', [['b', 'y']]],
    ['no pairs', 'Server started', []],
    ['nothing', '', []],
  ])('%s', (_name, text, wanted) => {
    expect(pairs(text)).toEqual(wanted)
  })

  it('keeps 64 pairs at most, and no name longer than 64', () => {
    expect(readPairs(Array.from({ length: 100 }, (_, index) => `k${index}="v"`).join(', ')).size).toBe(64)
    expect(pairs(`${'k'.repeat(65)}="v"`)).toEqual([])
    expect(pairs(`${'k'.repeat(64)}="v"`)).toHaveLength(1)
  })

  it('reads back whatever was written with escapes', () => {
    const value = fc.string({ unit: 'grapheme' })
    fc.assert(
      fc.property(fc.array(value, { maxLength: 20 }), (values) => {
        const text = values
          .map((each, index) => `k${index}="${each.replace(/[\\"]/g, (character) => `\\${character}`)}"`)
          .join(', ')
        expect([...readPairs(text).values()]).toEqual(values)
      }),
    )
  })

  it('is linear on hostile text', () => {
    for (const hostile of [
      '='.repeat(1_000_000),
      'a="'.repeat(400_000),
      'k'.repeat(1_000_000),
      `${'a'.repeat(500)}=`.repeat(2000),
    ]) {
      const started = performance.now()
      expect(readPairs(hostile).size).toBeLessThanOrEqual(64)
      expect(performance.now() - started).toBeLessThan(500)
    }
  })
})
