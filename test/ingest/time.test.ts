import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { parseTime, syslogTime } from '../../ingest/time.ts'

const at = (iso: string): number => Date.parse(iso)

describe('parseTime: RFC 3339', () => {
  it.each([
    ['2026-03-27T13:06:56Z', '2026-03-27T13:06:56Z'],
    ['2026-03-27t13:06:56z', '2026-03-27T13:06:56Z'],
    ['2026-03-27T13:06:56.5Z', '2026-03-27T13:06:56.500Z'],
    ['2026-03-27T13:06:56.123456Z', '2026-03-27T13:06:56.123Z'],
    ['2026-03-27T13:06:56.999999999Z', '2026-03-27T13:06:56.999Z'],
    ['2026-03-27T13:06:56,250Z', '2026-03-27T13:06:56.250Z'],
    ['2026-03-27T13:06:56+02:00', '2026-03-27T11:06:56Z'],
    ['2026-03-27T13:06:56.25-0530', '2026-03-27T18:36:56.250Z'],
    ['2026-03-27T13:06:56+09', '2026-03-27T04:06:56Z'],
    ['2022-11-29 00:09:04.38', '2022-11-29T00:09:04.380Z'],
    ['2022-11-29 00:09:04 +0100', '2022-11-28T23:09:04Z'],
    ['2024-02-29T23:59:59Z', '2024-02-29T23:59:59Z'],
    ['2016-12-31T23:59:60Z', '2017-01-01T00:00:00Z'],
    ['1970-01-01T00:00:00Z', '1970-01-01T00:00:00Z'],
    ['9999-12-31T23:59:59.999Z', '9999-12-31T23:59:59.999Z'],
  ])('reads %s', (text, expected) => {
    expect(parseTime(text)).toBe(at(expected))
  })

  it.each([
    '',
    ' ',
    '1',
    'yesterday',
    '2026-03-27',
    '2026-13-27T13:06:56Z',
    '2026-00-27T13:06:56Z',
    '2026-02-29T13:06:56Z',
    '1900-02-29T13:06:56Z',
    '2026-04-31T13:06:56Z',
    '2026-03-00T13:06:56Z',
    '2026-03-27T24:06:56Z',
    '2026-03-27T13:60:56Z',
    '2026-03-27T13:06:61Z',
    '2026-03-27T13:06:56.Z',
    '2026-03-27T13:06:56X',
    '2026-03-27T13:06:56Z ',
    '2026-03-27T13:06:56+2:00',
    '2026-03-27T13:06:56+24:00',
    '2026-03-27T13:06:56+02:00x',
    '2026/03/27T13:06:56Z',
    '2026-03-27_13:06:56Z',
    '1970-01-01T00:00:00+01:00',
    '1969-12-31T23:59:59Z',
    '9999-12-31T23:59:59-01:00',
    `2026-03-27T13:06:56.${'1'.repeat(200)}Z`,
  ])('refuses %j when that is what it is', (text) => {
    // '1' alone is one second after the epoch: a number as text, not a date.
    expect(parseTime(text)).toBe(text === '1' ? 1000 : undefined)
  })

  it('agrees with Date for every instant and offset', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 86_400_000, max: 253_402_300_799_999 - 86_400_000 }),
        fc.integer({ min: -1439, max: 1439 }),
        (time, offset) => {
          const local = new Date(time + offset * 60_000).toISOString().slice(0, -1)
          const hours = String(Math.floor(Math.abs(offset) / 60)).padStart(2, '0')
          const minutes = String(Math.abs(offset) % 60).padStart(2, '0')
          expect(parseTime(new Date(time).toISOString())).toBe(time)
          expect(parseTime(`${local}${offset < 0 ? '-' : '+'}${hours}:${minutes}`)).toBe(time)
        },
      ),
    )
  })
})

describe('parseTime: epoch by magnitude', () => {
  const time = 1_669_709_744_042
  it.each([
    [1_669_709_744, 1_669_709_744_000],
    [1_669_709_744.042, time],
    [time, time],
    [time + 0.9, time],
    [time * 1000 + 999, time],
    [1_669_709_744_042_000_000, time],
    ['1669709744', 1_669_709_744_000],
    ['1669709744.042', time],
    ['1669709744042', time],
    ['1669709744042999', time],
    ['1669709744042000000', time],
    [0, 0],
  ])('reads %s', (value, expected) => {
    expect(parseTime(value)).toBe(expected)
  })

  it.each([
    -1,
    Number.NaN,
    Number.POSITIVE_INFINITY,
    1e30,
    '-5',
    '1e9',
    '0x10',
    '1.',
    '.5',
    '1.2.3',
    ' 1',
    '9'.repeat(30),
  ])('refuses %s', (value) => {
    expect(parseTime(value)).toBeUndefined()
  })

  it('loses no millisecond in any unit', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1e11, max: 4_102_444_800_000 }), (ms) => {
        expect(parseTime(ms)).toBe(ms)
        expect(parseTime(ms * 1000)).toBe(ms)
        expect(parseTime(ms * 1_000_000)).toBe(ms)
        expect(parseTime(ms / 1000)).toBe(ms)
        expect(parseTime(`${ms}000000`)).toBe(ms)
      }),
    )
  })
})

describe('parseTime: access log', () => {
  it.each([
    ['27/Mar/2023:13:06:56 +0000', '2023-03-27T13:06:56Z'],
    ['01/Jan/2024:00:30:00 +0200', '2023-12-31T22:30:00Z'],
    ['29/Feb/2024:23:59:59 -0800', '2024-03-01T07:59:59Z'],
  ])('reads %s', (text, expected) => {
    expect(parseTime(text)).toBe(at(expected))
  })

  it.each([
    '27/Mrz/2023:13:06:56 +0000',
    '30/Feb/2023:13:06:56 +0000',
    '27/Mar/2023 13:06:56 +0000',
    '27/Mar/2023:13:06:56',
  ])('refuses %s', (text) => {
    expect(parseTime(text)).toBeUndefined()
  })
})

it('never throws, and answers an integer within range or nothing', () => {
  fc.assert(
    fc.property(
      fc.oneof(fc.string(), fc.double(), fc.stringMatching(/^[\dT:.+\-/ Za-z]{0,40}$/)),
      (value) => {
        const time = parseTime(value)
        if (time === undefined) return
        expect(Number.isInteger(time)).toBe(true)
        expect(time).toBeGreaterThanOrEqual(0)
        expect(time).toBeLessThanOrEqual(253_402_300_799_999)
      },
    ),
  )
})

describe('syslogTime', () => {
  it('takes the year of arrival', () => {
    expect(syslogTime('Mar 27 13:06:56', at('2023-03-27T13:07:00Z'))).toBe(at('2023-03-27T13:06:56Z'))
    expect(syslogTime('Mar  7 13:06:56 host sshd[1]: x', at('2023-03-27T13:07:00Z'))).toBe(
      at('2023-03-07T13:06:56Z'),
    )
  })

  it('takes the year before for what would lie in the future', () => {
    expect(syslogTime('Dec 31 23:59:59', at('2024-01-01T00:00:05Z'))).toBe(at('2023-12-31T23:59:59Z'))
    expect(syslogTime('Mar 29 00:00:00', at('2023-03-27T13:07:00Z'))).toBe(at('2022-03-29T00:00:00Z'))
  })

  it('allows a clock that is up to a day ahead, into the next year too', () => {
    expect(syslogTime('Mar 28 13:00:00', at('2023-03-27T13:07:00Z'))).toBe(at('2023-03-28T13:00:00Z'))
    expect(syslogTime('Jan  1 00:00:10', at('2023-12-31T23:59:50Z'))).toBe(at('2024-01-01T00:00:10Z'))
  })

  it('finds the last leap year for 29 February', () => {
    expect(syslogTime('Feb 29 12:00:00', at('2026-06-01T00:00:00Z'))).toBe(at('2024-02-29T12:00:00Z'))
  })

  it.each([
    '',
    'Mar 27',
    'Mrz 27 13:06:56',
    'Mar 32 13:06:56',
    'Mar 27 25:06:56',
    'Mar 27 13:06:56x',
    'mar 27 13:06:56',
  ])('refuses %j', (text) => {
    expect(syslogTime(text, at('2023-03-27T13:07:00Z'))).toBeUndefined()
  })

  it('is never more than a day after arrival, nor more than 366 days before it for a day every year has', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: at('1980-01-01T00:00:00Z'), max: at('2100-01-01T00:00:00Z') }),
        fc.integer({ min: 1, max: 28 }),
        fc.constantFrom('Jan', 'Feb', 'Jul', 'Dec'),
        (arrival, day, month) => {
          const time = syslogTime(`${month} ${String(day).padStart(2, ' ')} 13:06:56`, arrival)
          expect(time).toBeDefined()
          if (time === undefined) return
          expect(time - arrival).toBeLessThanOrEqual(86_400_000)
          expect(arrival - time).toBeLessThan(366 * 86_400_000)
        },
      ),
    )
  })
})
