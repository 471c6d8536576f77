import { expect, test } from 'vitest'
import { commandLine, programName } from '../src/command-line.ts'

test.each([
  ['a checkout', 'file:///home/me/genesys-etl/src/command-line.ts', '/home/me/genesys-etl/bin/genesys-etl.mjs'],
  ['systemd', 'file:///opt/genesys-etl/src/command-line.ts', '/opt/genesys-etl/bin/genesys-etl.mjs'],
  ['no script at all', 'file:///opt/genesys-etl/src/command-line.ts', undefined],
])('a command is run by npm in %s', (_place, moduleUrl, script) => {
  expect(programName(moduleUrl, script)).toBe('npm run etl --')
})

test.each([
  ['the image', 'file:///app/src/command-line.ts', '/usr/local/bin/genesys-etl'],
  ['a global package', 'file:///usr/lib/node_modules/genesys-etl/dist/src/command-line.js', '/usr/bin/genesys-etl'],
  [
    'a package on Windows',
    'file:///C:/npm/genesys-etl/dist/src/command-line.js',
    String.raw`C:\npm\bin\genesys-etl.mjs`,
  ],
])('a command is run by its name in %s', (_place, moduleUrl, script) => {
  expect(programName(moduleUrl, script)).toBe('genesys-etl')
})

test('hints name commands as they are typed in the checkout that runs the tests', () => {
  expect(commandLine('migrate down')).toBe('npm run etl -- migrate down')
})
