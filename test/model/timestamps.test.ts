import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'

import { canonicalTime, fromPostgres } from '../../src/model/timestamps.ts'
import { arbitraryTime, DIFFICULT_TEXTS } from '../support/arbitrary-conversation.ts'

describe('canonicalTime', () => {
  it.each([
    ['2021-04-01T12:27:53.386Z', '2021-04-01T12:27:53.386Z'],
    ['2021-04-01T12:27:53.386123Z', '2021-04-01T12:27:53.386123Z'],
    ['2021-04-01T12:27:53.386000Z', '2021-04-01T12:27:53.386Z'],
    ['2021-04-01T12:27:53.5Z', '2021-04-01T12:27:53.500Z'],
    ['2021-04-01T12:27:53Z', '2021-04-01T12:27:53.000Z'],
    ['2021-04-01T12:27Z', '2021-04-01T12:27:00.000Z'],
    ['2021-04-01t12:27:53z', '2021-04-01T12:27:53.000Z'],
    ['2021-04-01T12:27:53.9999999Z', '2021-04-01T12:27:53.999999Z'],
    ['2021-04-01T00:27:53.386+05:30', '2021-03-31T18:57:53.386Z'],
    ['2021-12-31T23:30:00-0200', '2022-01-01T01:30:00.000Z'],
    ['2021-12-31T24:00:00.000Z', '2022-01-01T00:00:00.000Z'],
    ['2016-12-31T23:59:60.250Z', '2017-01-01T00:00:00.250Z'],
    ['2024-02-29T00:00:00.000Z', '2024-02-29T00:00:00.000Z'],
    ['2000-02-29T00:00:00.000Z', '2000-02-29T00:00:00.000Z'],
    ['0001-01-01T00:00:00.000Z', '0001-01-01T00:00:00.000Z'],
    ['0050-06-01T00:00:00Z', '0050-06-01T00:00:00.000Z'],
  ])('%s → %s', (text, canonical) => {
    expect(canonicalTime(text)).toBe(canonical)
  })

  it.each([
    '2023-02-29T00:00:00.000Z',
    '1900-02-29T00:00:00.000Z',
    '2021-04-31T00:00:00.000Z',
    '2021-13-01T00:00:00.000Z',
    '2021-00-01T00:00:00.000Z',
    '2021-04-00T00:00:00.000Z',
    '2021-04-2T15:46:21.288Z',
    '2021-04-01T25:00:00.000Z',
    '2021-04-01T24:00:01.000Z',
    '2021-04-01T12:60:00.000Z',
    '2021-04-01T12:27:61.000Z',
    '2021-04-01T12:27:53.386',
    '2021-04-01T12:27:53.Z',
    '2021-04-01T12:27:53.386+24:00',
    '2021-04-01T12:27:53.386+02:60',
    '0000-01-01T00:00:00.000Z',
    '0001-01-01T00:00:00.000+01:00',
    '9999-12-31T23:59:59.999-01:00',
    '10000-01-01T00:00:00.000Z',
    '2021-04-01',
    ' 2021-04-01T12:27:53.386Z',
    '2021-04-01T12:27:53.386Z\n',
    'now',
    'infinity',
    'epoch',
    ...DIFFICULT_TEXTS,
  ])('%j is no instant', (text) => {
    expect(canonicalTime(text)).toBeNull()
  })

  it('keeps what the API sends as it is, and agrees with Date about it', () => {
    fc.assert(
      fc.property(arbitraryTime, (time) => {
        expect(canonicalTime(time)).toBe(time)
        expect(new Date(canonicalTime(time)!).getTime()).toBe(new Date(time).getTime())
      }),
    )
  })

  it('agrees with Date about any offset', () => {
    const offset = fc.tuple(fc.constantFrom('+', '-'), fc.nat({ max: 23 }), fc.nat({ max: 59 }))
    fc.assert(
      fc.property(arbitraryTime, offset, (time, [sign, hours, minutes]) => {
        const text = `${time.slice(0, 23)}${sign}${String(hours).padStart(2, '0')}:${String(minutes).padStart(2, '0')}`
        expect(canonicalTime(text)).toBe(new Date(text).toISOString())
      }),
    )
  })
})

describe('fromPostgres', () => {
  it.each([
    ['2021-04-01 12:27:53.386+00', '2021-04-01T12:27:53.386Z'],
    ['2021-04-01 12:27:53+00', '2021-04-01T12:27:53.000Z'],
    ['2021-04-01 12:27:53.38612+00', '2021-04-01T12:27:53.386120Z'],
    ['2021-04-01 14:27:53.386+02', '2021-04-01T12:27:53.386Z'],
    ['2021-04-01 17:57:53.386+05:30', '2021-04-01T12:27:53.386Z'],
    ['1890-01-01 00:53:28+00:53:28', '1890-01-01T00:00:00.000Z'],
    ['10000-01-01 05:29:59.999+05:30', '9999-12-31T23:59:59.999Z'],
    ['0001-12-31 19:03:58-04:56:02 BC', '0001-12-31 19:03:58-04:56:02 BC'],
    ['infinity', 'infinity'],
  ])('%s → %s', (text, canonical) => {
    expect(fromPostgres(text)).toBe(canonical)
  })
})
