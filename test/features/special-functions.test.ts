import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  incompleteBeta,
  logBeta,
  logGamma,
  logIncompleteBeta,
  logUpperIncompleteGamma,
  upperIncompleteGamma,
} from '../../features/special-functions.ts'

/** Reference values: mpmath 1.4.1 at 60 digits. */
const closeTo = (actual: number, expected: number, relative: number): void => {
  expect(Math.abs(actual - expected), `${actual} against ${expected}`).toBeLessThanOrEqual(
    relative * Math.max(Math.abs(expected), 1),
  )
}

describe('logGamma', () => {
  it.each([
    [1e-10, 23.025850929882736],
    [0.1, 2.252712651734206],
    [0.5, 0.5723649429247001],
    [1.5, -0.12078223763524522],
    [9.999, 12.799575780077413],
    [10, 12.801827480081469],
    [171.5, 709.1431630309282],
    [1e6, 12815504.569147611],
    [12345678.9, 189244641.3185023],
  ])('of %d', (x, expected) => closeTo(logGamma(x), expected, 1e-14))

  it('is infinite where Γ has no logarithm', () => {
    expect(logGamma(0)).toBe(Number.POSITIVE_INFINITY)
    expect(logGamma(-1.5)).toBe(Number.POSITIVE_INFINITY)
    expect(logGamma(Number.NaN)).toBe(Number.POSITIVE_INFINITY)
  })
})

describe('logBeta', () => {
  it.each([
    [1e-8, 1e6, 18.420680600025108],
    [0.5, 0.5, 1.1447298858494002],
    [1.5, 60, -6.268514574560403],
    [1e6, 1e6, -1386300.003362921],
    [3, 1e9, -61.47665033327929],
  ])('of %d, %d', (a, b, expected) => {
    closeTo(logBeta(a, b), expected, 1e-13)
    expect(logBeta(b, a)).toBe(logBeta(a, b))
  })
})

describe('ln I_x(a, b)', () => {
  // An absolute error of the logarithm is the relative error of the probability.
  it.each([
    [0.01, 41, 4, -179.35010715503537],
    [0.75, 41, 4, -6.242429409595396],
    [0.0066445182724252, 3, 4, -12.061139502035962],
    [0.5, 0.5, 0.5, -Math.LN2],
    [1e-9, 2, 3, -39.6547722059981],
    [0.999, 0.001, 5, -2.005839486000095e-19],
    [0.2, 50, 50, -25.044295241067513],
    [0.01, 150, 20, -633.8879388062164],
    [1e-6, 50, 7, -673.4797548051898],
    [0.3, 1000, 1000, -178.15921659953725],
    [0.5, 100000, 100000, -Math.LN2],
    [0.501, 1e6, 1e6, -0.0023415887873714084],
    [0.49, 1e6, 1e6, -404.34251148125895],
    [0.9, 1, 0.001, -6.074873905368267],
    [0.97, 400, 12.5, -0.7373309571427753],
    [0.02, 12.5, 400, -2.328998450041979],
    [1e-5, 1, 100000.0, -0.45867223549565667],
    [0.3, 0.01, 1000.0, 0.0],
  ])('x = %d, a = %d, b = %d', (x, a, b, expected) => {
    expect(Math.abs(logIncompleteBeta(x, a, b) - expected)).toBeLessThan(5e-11)
  })

  it('has its limits', () => {
    expect(incompleteBeta(0, 2, 3)).toBe(0)
    expect(incompleteBeta(1, 2, 3)).toBe(1)
    expect(incompleteBeta(0.5, 0, 3)).toBe(1)
    expect(incompleteBeta(0.5, 3, 0)).toBe(0)
    expect(incompleteBeta(Number.NaN, 3, 2)).toBe(1)
  })

  it('is a probability, rises with x and mirrors', () => {
    const parameter = fc.double({ min: 1e-6, max: 1e6, noNaN: true })
    const share = fc.double({ min: 0, max: 1, noNaN: true })
    fc.assert(
      fc.property(parameter, parameter, share, share, (a, b, u, v) => {
        const [low, high] = u < v ? [u, v] : [v, u]
        const p = incompleteBeta(low, a, b)
        const q = incompleteBeta(high, a, b)
        expect(p).toBeGreaterThanOrEqual(0)
        expect(q).toBeLessThanOrEqual(1)
        expect(q).toBeGreaterThanOrEqual(p * (1 - 1e-9))
        const mirrored = Math.exp(logIncompleteBeta(1 - low, b, a, low))
        expect(Math.abs(p + mirrored - 1)).toBeLessThan(1e-9)
      }),
      { seed: 1, numRuns: 500 },
    )
  })

  it('is never NaN', () => {
    const any = fc.double()
    fc.assert(
      fc.property(any, any, any, (x, a, b) => {
        expect(incompleteBeta(x, a, b)).not.toBeNaN()
        expect(upperIncompleteGamma(a, b)).not.toBeNaN()
      }),
      { seed: 2, numRuns: 500 },
    )
  })
})

describe('ln Q(a, x)', () => {
  it.each([
    [3.571429, 12.291957, -6.908184195863963],
    [0.5, 0.5, -1.1478744644493182],
    [0.5, 300, -303.42591595890315],
    [0.001, 1, -8.42366479083107],
    [10, 10, -0.781039568496278],
    [10, 700, -653.8291827471337],
    [100, 50, -3.2000653250971464e-10],
    [100, 150, -12.036407454461646],
    [1000, 1100, -6.850125014436265],
    [1e6, 1003000.0, -6.5989915106665515],
    [1e6, 999000.0, -0.1727537310560113],
    [2.5, 1e-8, -3.009011090761764e-21],
    [50, 600, -431.03115674383974],
  ])('a = %d, x = %d', (a, x, expected) => {
    expect(Math.abs(logUpperIncompleteGamma(a, x) - expected)).toBeLessThan(5e-11)
  })

  it('has its limits', () => {
    expect(upperIncompleteGamma(2, 0)).toBe(1)
    expect(upperIncompleteGamma(2, Number.POSITIVE_INFINITY)).toBe(0)
    expect(upperIncompleteGamma(0, 1)).toBe(0)
    expect(upperIncompleteGamma(1, 3)).toBeCloseTo(Math.exp(-3), 14)
  })

  it('falls with x', () => {
    const parameter = fc.double({ min: 1e-3, max: 1e5, noNaN: true })
    fc.assert(
      fc.property(parameter, parameter, fc.double({ min: 0, max: 100, noNaN: true }), (a, x, more) => {
        expect(logUpperIncompleteGamma(a, x + more)).toBeLessThanOrEqual(logUpperIncompleteGamma(a, x) + 1e-9)
      }),
      { seed: 3, numRuns: 500 },
    )
  })
})
