import { expect, test } from 'vitest'
import { EtlError, reasonWithHint } from '../src/errors.ts'

const failure = (message: string, hint?: string): EtlError => new EtlError(message, { code: 'X', kind: 'fatal', hint })

test.each([
  ['the hint is a sentence of its own', failure('It broke', 'Fix it.'), 'It broke. Fix it.'],
  ['a message that is a sentence stays one', failure('It broke!', 'Fix it.'), 'It broke! Fix it.'],
  ['nothing is added without a hint', failure('It broke'), 'It broke'],
  [
    'a hint that the message already contains is not repeated',
    failure('It broke. Fix it.', 'Fix it.'),
    'It broke. Fix it.',
  ],
  ['errors without a hint give their message', new Error('It broke'), 'It broke'],
  ['so does any other thrown value', 'It broke', 'It broke'],
])('%s', (_name, error, text) => {
  expect(reasonWithHint(error)).toBe(text)
})

test('however long the message is, the hint is kept, and the whole stays short', () => {
  const text = reasonWithHint(failure('<html>'.repeat(10_000), 'Fix the proxy.'))
  expect(text).toMatch(/^<html>.*… Fix the proxy\.$/)
  expect(text.length).toBeLessThanOrEqual(1501)
  expect(reasonWithHint(failure('It broke', 'x'.repeat(10_000))).length).toBeLessThanOrEqual(1501)
})
