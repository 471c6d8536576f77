import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { normalizeAddress } from '../../src/model/address.ts'

test.each([
  ['tel:+13175550100', '+13175550100'],
  ['+1 (317) 555-0100', '+13175550100'],
  ['TEL:+1-317-555-0100;ext=5', '+13175550100'],
  ['sip:+13175550100@10.0.0.1;user=phone', '+13175550100'],
  ['sip:Ada@Example.org', 'ada@example.org'],
  [' Ada.Lovelace@Example.ORG ', 'ada.lovelace@example.org'],
  ['mailto:ada@example.org?subject=hello', 'ada@example.org'],
  ['+13175550100@fax.example.org', '+13175550100@fax.example.org'],
  ['1001', '1001'],
  ['(030) 123 45', '03012345'],
  ['4f1c2d-user', '4f1c2d-user'],
  ['--', '--'],
  ['   ', ''],
])('%j is the address %j', (address, expected) => {
  expect(normalizeAddress(address)).toBe(expected)
})

test('normalizing an address twice changes nothing', () => {
  const part = fc.constantFrom('tel:', 'SIP:', 'mailto:', '+4930', '123', '@', 'a', 'B', ' ', ';x', '?', '(', '-', '.')
  const address = fc.oneof(
    fc.array(part, { maxLength: 8 }).map((parts) => parts.join('')),
    fc.string({ unit: 'grapheme' }),
  )
  fc.assert(
    fc.property(address, (text) => {
      const once = normalizeAddress(text)
      expect(normalizeAddress(once)).toBe(once)
    }),
    { numRuns: 2000, examples: [['\u1fdd\ufc5e']] },
  )
})
