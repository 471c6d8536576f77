import { expect, test } from 'vitest'
import { reasonWithHint } from '../../src/live/failure.ts'
import { EtlError } from '../../src/errors.ts'

const failure = (message: string, hint?: string): EtlError => new EtlError(message, { code: 'X', kind: 'fatal', hint })

test.each([
  ['the hint is a sentence of its own', failure('It broke', 'Mend it.'), 'It broke. Mend it.'],
  ['a message that is a sentence stays one', failure('It broke!', 'Mend it.'), 'It broke! Mend it.'],
  ['nothing is added without a hint', failure('It broke'), 'It broke'],
  [
    'a hint that the message has already is not said twice',
    failure('It broke. Mend it.', 'Mend it.'),
    'It broke. Mend it.',
  ],
  ['errors that know no hint tell their message', new Error('It broke'), 'It broke'],
  ['so does whatever else was thrown', 'It broke', 'It broke'],
])('%s', (_name, error, text) => {
  expect(reasonWithHint(error)).toBe(text)
})

test('however long the message is, the hint is told, and the whole stays short', () => {
  const text = reasonWithHint(failure('<html>'.repeat(10_000), 'Mend the proxy.'))
  expect(text).toMatch(/^<html>.*… Mend the proxy\.$/)
  expect(text.length).toBeLessThanOrEqual(1501)
  expect(reasonWithHint(failure('It broke', 'x'.repeat(10_000))).length).toBeLessThanOrEqual(1501)
})
