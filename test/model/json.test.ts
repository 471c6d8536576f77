import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'

import { decimalOf, parseJson, storableJson, storableText, textOfDeep } from '../../src/model/json.ts'
import type { JsonValue } from '../../src/model/json.ts'
import { DIFFICULT_NUMBERS } from '../support/arbitrary-conversation.ts'

/** To the last digit, or as the same double where the source has no more digits than doubles have. */
function expectKept(printed: string, source: string): void {
  const isDouble = /[.eE]/.test(source) && decimalOf(source)!.digits.length <= 17 && Math.abs(Number(source)) > 1e-307
  if (isDouble && Number.isFinite(Number(source))) expect(Number(printed)).toBe(Number(source) + 0)
  else expect(decimalOf(printed)).toEqual(decimalOf(source))
}

describe('parseJson', () => {
  it.each(DIFFICULT_NUMBERS)('keeps %s, wherever it is', (source) => {
    for (const [before, after] of [
      ['', ''],
      ['[', ']'],
      ['{ "a" : ', ' }'],
      ['[0,\n', '\n]'],
      ['[1e400,', ']'],
    ] as const) {
      const printed = JSON.stringify(parseJson(before + source + after))
      const compact = [before, after].map((around) => around.replaceAll(/\s/g, '').length) as [number, number]
      expectKept(printed.slice(compact[0], printed.length - compact[1]), source)
    }
  })

  it('takes a number with a point or an exponent and up to 17 digits for the double that it names', () => {
    expect(parseJson('[5.6843418860808015E-14,9007199254740993.0,0.30000000000000004]')).toEqual([
      5.6843418860808015e-14, 9007199254740992, 0.30000000000000004,
    ])
    expect(JSON.stringify(parseJson('[1.23456789012345678,1.2345678901234567e-310]'))).toBe(
      '[1.23456789012345678,1.2345678901234567e-310]',
    )
  })

  it('gives plain numbers where doubles hold them', () => {
    expect(
      parseJson('[5.0,1e2,0.30000000000000004,4.882592870967742,1.7976931348623157e308,9007199254740992]'),
    ).toEqual([5, 100, 0.30000000000000004, 4.882592870967742, 1.7976931348623157e308, 9007199254740992])
  })

  it('reads what looks like a number inside a text as text', () => {
    expect(parseJson('{"a":"x, 12345678901234567890","b":":1e999"}')).toEqual({
      a: 'x, 12345678901234567890',
      b: ':1e999',
    })
  })

  it('takes digits in a text for text even where they are no number of JSON', () => {
    const texts = { a: ':00000000000000000012', b: ':1.2.3.4.5.6.7.8.9.10', c: ':-00000000000000000000e999' }
    expect(parseJson(JSON.stringify(texts))).toEqual(texts)
  })

  it('keeps any decimal', () => {
    const decimal = fc
      .tuple(
        fc.boolean(),
        fc.bigInt({ min: 0n, max: 10n ** 30n }),
        fc.nat({ max: 40 }),
        fc.integer({ min: -450, max: 450 }),
      )
      .map(([minus, integer, fraction, exponent]) => `${minus ? '-' : ''}${integer}.${fraction}e${exponent}`)
    fc.assert(
      fc.property(decimal, (source) => {
        expectKept(JSON.stringify(parseJson(`[${source}]`)).slice(1, -1), source)
      }),
      { numRuns: 500 },
    )
  })

  it('keeps an own key __proto__ beside exact numbers', () => {
    expect(JSON.stringify(parseJson('{"__proto__":{"a":12345678901234567890}}'))).toBe(
      '{"__proto__":{"a":12345678901234567890}}',
    )
  })

  /** JSON text of a value inside so many lists and objects. */
  const nested = (inner: string, levels: number): string =>
    `${'[{"a":'.repeat(levels / 2)}${inner}${'}]'.repeat(levels / 2)}`
  const depth = fc.oneof(fc.nat({ max: 40 }), fc.integer({ min: 1900, max: 6000 }))

  it('keeps exact numbers beside, above and below nesting of any depth', () => {
    const places = ['[D,N]', '[N,D]', '{"n":N,"d":D,"m":[N]}', 'D'] as const
    fc.assert(
      fc.property(depth, fc.constantFrom(...DIFFICULT_NUMBERS), fc.constantFrom(...places), (levels, source, place) => {
        const printed = JSON.stringify(parseJson(source))
        const at = (number: string) => place.replaceAll('N', number).replaceAll('D', nested(number, levels & ~1))
        expect(textOfDeep(parseJson(at(source))) === at(printed)).toBe(true)
      }),
      { numRuns: 60 },
    )
    const deepest = `[${nested('1', 1_000_000)},9007199254740993]`
    expect(textOfDeep(parseJson(deepest)) === deepest).toBe(true)
  })

  it('reads any JSON text beside an exact number as JSON.parse does', () => {
    fc.assert(
      fc.property(fc.json({ maxDepth: 5 }), fc.constantFrom('', ' ', '\n\t'), (text, space) => {
        const [value, number] = parseJson(`[${space}${text}${space},12345678901234567890${space}]`) as JsonValue[]
        expect(JSON.stringify(number)).toBe('12345678901234567890')
        expect(JSON.stringify(value)).toBe(JSON.stringify(JSON.parse(text)))
      }),
      { numRuns: 1000 },
    )
  })

  it.each([
    ['escaped quotes and backslashes', String.raw`{"a\"b":"\\","c\\":"\\\"","d":"[\"x\",{"}`],
    ['brackets, colons and commas in texts', '{"a:{[,":"]},:","b":["1,2"]}'],
    ['literals', '[true,false,null,{"a":true}]'],
    ['empty ones', '[[],{},"",{"":[]}]'],
    ['repeated keys', '{"a":1,"b":2,"a":{"c":3}}'],
  ])('reads %s beside an exact number', (_, text) => {
    const [value] = parseJson(`[${text},9007199254740993]`) as JsonValue[]
    expect(JSON.stringify(value)).toBe(JSON.stringify(JSON.parse(text)))
  })

  it('throws a SyntaxError on broken text beside an exact number', () => {
    for (const broken of ['[1,]', '{"a"}', '"x', '[1}', '01', '{"a":1,}', '1 2', '+1', 'nul', '{1:2}', '.5'])
      expect(() => parseJson(`[12345678901234567890,${broken}]`), broken).toThrow(SyntaxError)
    expect(() => parseJson('{12345678901234567890:1}')).toThrow(SyntaxError)
  })

  it.each(['', '{', '[1,]', 'undefined', '<html>'])('throws a SyntaxError on %j', (text) => {
    expect(() => parseJson(text)).toThrow(SyntaxError)
  })
})

describe('storableJson', () => {
  it.each([
    ['{"a":"\\u0000","b":"\\ud800x","c":"\\ud83d\\ude00"}', '{"a":"\uFFFD","b":"\uFFFDx","c":"😀"}'],
    ['{"\\u0000":1,"\\udfff":2}', '{"\uFFFD":2}'],
    ['"\\\\u0000"', '"\\\\u0000"'],
    ['[1e400,-1e-400]', '[1e400,-1e-400]'],
    ['[1e1000,1e-2000,-1e9999999999]', '["1e1000","1e-2000","-1e9999999999"]'],
    [`[${'9'.repeat(1001)}]`, `["${'9'.repeat(1001)}"]`],
    [`[${'9'.repeat(1000)}]`, `[${'9'.repeat(1000)}]`],
    ['{"__proto__":"\\u0000"}', '{"__proto__":"\uFFFD"}'],
    ['null', 'null'],
  ])('%s → %s', (text, stored) => {
    expect(storableJson(parseJson(text))).toBe(stored)
  })

  it('turns what is nested deeper than 500 levels into text', () => {
    const deep = (levels: number) => `${'['.repeat(levels)}1${']'.repeat(levels)}`
    expect(storableJson(parseJson(deep(500)))).toBe(deep(500))
    expect(storableJson(parseJson(deep(502)))).toBe(`${'['.repeat(500)}"[[1]]"${']'.repeat(500)}`)
    expect(storableJson(parseJson(deep(50_000)))).toHaveLength(50_000 * 2 + 3)
  })
})

it('storableText replaces what UTF-8 or Postgres can not hold, and nothing else', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      expect(storableText(text)).toBe(Buffer.from(text).toString().replaceAll('\0', '\uFFFD'))
    }),
  )
  expect(storableText('\uD83D\uDE00\uD83D')).toBe('😀\uFFFD')
})
