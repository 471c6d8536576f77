/** Keeps the words that glossary and CONTRIBUTING.md replaced by standard terms out of sources, tests and documents. */
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { expect, test } from 'vitest'

const ROOT = path.join(import.meta.dirname, '..')
const CHECKED = /\.(?:ts|mts|js|mjs|md|css|html|sql|ya?ml|sh|service|example)$|^Dockerfile$/

const RETIRED =
  /\b(?:booked|books|mend(?:s|ed|ing|able)?|told|telling|twins?|pictures?|as it stands|for good|anew|stretched)\b/g

/** Paths (or folders, ending in a slash) that are not checked. */
const EXEMPT: readonly string[] = ['test/language.test.ts']

/**
 * Names that are a contract: the column genesys.live_snapshots.stretched, and keys of `doctor --json` and `verify --json`.
 * They are right as names in code and in backticks, not in sentences.
 */
const CONTRACT_NAMES = new RegExp(
  [
    '`NAME`',
    'live_stretched\\b',
    '\\bNAME(?=\\.\\w)',
    '(?<=[\\w\\])?])\\.NAME\\b(?!\\()',
    '(?:[{,([;]\\s*|^\\s*|\\b(?:readonly|const|let) )NAME\\b(?=\\??\\s*[:,=}\\])]| boolean|$)',
  ]
    .join('|')
    .replaceAll('NAME', '(?:stretched|mend|twins)'),
  'g',
)

/** Texts that nobody may change. */
const ALLOWED: readonly { readonly file: RegExp; readonly line: RegExp }[] = [
  // part of a seed: another text would change every conversation that is begun on demand
  { file: /^src\/simulator\/generate\.ts$/, line: /\$\{seed\}\/told\// },
  // released migrations are never edited
  { file: /^migrations\//, line: /./ },
]

/** The retired words of a line, with names in camelCase and snake_case taken apart. */
function retiredWords(line: string): readonly string[] {
  const words = line
    .replaceAll(CONTRACT_NAMES, ' ')
    .replaceAll(/(?<=[a-z0-9])(?=[A-Z])/g, ' ')
    .replaceAll('_', ' ')
    .toLowerCase()
  return words.match(RETIRED) ?? []
}

/** LANGUAGE_ONLY=src/simulator/,bench/ checks some folders only. */
function trackedFiles(): string[] {
  const only = process.env['LANGUAGE_ONLY']?.split(',') ?? ['']
  return execFileSync('git', ['ls-files'], { cwd: ROOT, encoding: 'utf8' })
    .split('\n')
    .filter((file) => CHECKED.test(file) && !EXEMPT.some((exempt) => file.startsWith(exempt)))
    .filter((file) => only.some((start) => file.startsWith(start)))
}

test.each([
  ['no run is booked twice', ['booked']],
  ['function insertTwin(livePicture: string) {}', ['twin', 'picture']],
  ['const LAST_TOLD = 1', ['told']],
  ["  'a stretched tick'", ['stretched']],
  ['   * what to mend where it is wrong', ['mend']],
  ['  readonly stretched: boolean', []],
  ['      stretched,', []],
  ['  if (check.mend) output.line(check.mend)', []],
  ['The column `stretched` is a contract.', []],
  ['  const { twins, orphans } = misplaced', []],
])('finds the retired words in %j', (line, words) => {
  expect(retiredWords(line)).toEqual(words)
})

test('no source, test or document uses a retired word', () => {
  const files = trackedFiles()
  expect(files.length).toBeGreaterThan(0)
  const found = files.flatMap((file) =>
    readFileSync(path.join(ROOT, file), 'utf8')
      .split('\n')
      .flatMap((line, index) => {
        const words = retiredWords(line)
        if (words.length === 0 || ALLOWED.some((allowed) => allowed.file.test(file) && allowed.line.test(line)))
          return []
        return [`${file}:${index + 1}: ${words.join(', ')}: ${line.trim()}`]
      }),
  )
  expect(found).toEqual([])
})
