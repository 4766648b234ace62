import { describe, expect, it } from 'vitest'
import { array, chunks, integer, literal, tuple } from '../../../features/store/sql.ts'

describe('quoting', () => {
  it('leaves no way out of a literal', () => {
    expect(literal("a'b\\c\0d")).toBe("'a\\'b\\\\c\\0d'")
    expect(literal('')).toBe("''")
    expect(tuple(['a', "b'"])).toBe("('a', 'b\\'')")
    expect(tuple([])).toBe("('\\0')")
    expect(array([])).toBe('[]')
  })

  it('writes integers out in full, and 0 for what is none', () => {
    expect(integer(1e21)).toBe('1000000000000000000000')
    expect(integer(-2.9)).toBe('-2')
    expect(integer(Number.NaN)).toBe('0')
    expect(integer(Number.POSITIVE_INFINITY)).toBe('0')
  })

  it('cuts lists', () => {
    expect([...chunks([1, 2, 3, 4, 5], 2)]).toEqual([[1, 2], [3, 4], [5]])
    expect([...chunks([], 2)]).toEqual([])
  })
})
