import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { expect, test } from 'vitest'
import { loadEnvFile, parseEnvText } from '../src/env-file.ts'

test.each([
  ['a plain value', 'A=one two', 'one two'],
  ['# in an unquoted value', 'A=pass#word', 'pass#word'],
  ['# in the password of a URL', 'A=postgres://user:pa#ss@host/db', 'postgres://user:pa#ss@host/db'],
  ['# and quotes in an unquoted value', `A=it's#"one"`, `it's#"one"`],
  ['a comment after a blank', 'A=value # a comment', 'value'],
  ['a comment after a value with #', 'A=a#b # a comment', 'a#b'],
  ['nothing but a comment', 'A= # a comment', ''],
  ['# at the start of a value', 'A=#none', ''],
  ['# in quotes', `A='a # b'`, 'a # b'],
  ['export and blanks', '  export A = a#b  ', 'a#b'],
  ['a comment line', '# A=wrong\nA=right', 'right'],
  ['several lines in quotes', 'A="one\ntwo"', 'one\ntwo'],
  ['a byte order mark', '\uFEFFA=one', 'one'],
  ['Windows line ends', 'A=a#b\r\nB=2\r\n', 'a#b'],
])('%s', (_name, text, value) => {
  expect(parseEnvText(text)['A']).toBe(value)
})

test('variables of the environment win over the file, also in UTF-16; no file is no problem', () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'env-'))
  writeFileSync(path.join(folder, '.env'), Buffer.from('\uFEFFA=file\r\nB=file\r\n', 'utf16le'))
  const env: NodeJS.ProcessEnv = { A: 'environment' }
  loadEnvFile(path.join(folder, '.env'), env)
  expect(env).toEqual({ A: 'environment', B: 'file' })
  loadEnvFile(path.join(folder, 'absent'), env)
  expect(() => loadEnvFile(folder, env)).toThrow('cannot be read (EISDIR)')
})
