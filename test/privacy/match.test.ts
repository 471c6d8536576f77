import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { normalizeAddress } from '../../src/model/address.ts'
import { parseJson } from '../../src/model/json.ts'
import { holdsAddress, holdsField, searchableTextOf, searchKeyOf } from '../../src/privacy/match.ts'

const sought = { normalized: new Set(['+13175550100', 'ada@example.org']), stored: new Set(['f00d']) }

test.each([
  ['"tel:+13175550100"', true],
  ['["+1 (317) 555-0100"]', true],
  ['{"a": {"b": [null, true, 1, "Ada@Example.org "]}}', true],
  ['"f00d"', true],
  ['{"number": 13175550100}', false],
  ['"call +13175550100 after six"', false],
  ['"+131755501001"', false],
  ['{"+13175550100": "a name"}', false],
  ['null', false],
])('%s holds a sought address: %s', (json, expected) => {
  expect(holdsAddress(parseJson(json), sought)).toBe(expected)
})

test('a long number is a telephone number, a short one is not', () => {
  const numbers = { normalized: new Set(['13175550100', '1001', '123456789012345678901']), stored: new Set<string>() }
  expect(holdsAddress(parseJson('13175550100'), numbers)).toBe(true)
  expect(holdsAddress(parseJson('123456789012345678901'), numbers)).toBe(true)
  expect(holdsAddress(parseJson('1001'), numbers)).toBe(false)
})

test('a field is found at any depth, with its exact value', () => {
  const record = parseJson('{"participants": [{"externalContactId": "c1"}, {"other": "c2"}]}')
  expect(holdsField(record, 'externalContactId', new Set(['c1']))).toBe(true)
  expect(holdsField(record, 'externalContactId', new Set(['c2']))).toBe(false)
})

test('the key of an address is contained in every text that equals it', () => {
  const part = fc.constantFrom(
    'tel:',
    'SIP:',
    'mailto:',
    '+4930',
    '123',
    '@',
    'a',
    'B',
    'Ｂ',
    'K',
    ' ',
    ';x',
    '?',
    '(',
    '-',
  )
  const address = fc.oneof(
    fc.array(part, { maxLength: 8 }).map((parts) => parts.join('')),
    fc.string({ unit: 'grapheme' }),
  )
  fc.assert(
    fc.property(address, (text) => {
      const key = searchKeyOf(normalizeAddress(text))
      if (key !== null) expect(searchableTextOf(text)).toContain(key)
    }),
    { numRuns: 2000 },
  )
})

test('an address with other characters than ASCII has no key, since databases lower them in different ways', () => {
  expect(searchKeyOf('jürgen@example.org')).toBeNull()
  expect(searchKeyOf('+13175550100')).toBe('13175550100')
})
