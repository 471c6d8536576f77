/** What the documents say about the repository itself: files that they name exist, links lead somewhere, terms are defined once. */
import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { describe, expect, test } from 'vitest'

const ROOT = path.join(import.meta.dirname, '..')
const read = (file: string): string => readFileSync(path.join(ROOT, file), 'utf8')
const documents = execFileSync('git', ['ls-files', '*.md'], { cwd: ROOT, encoding: 'utf8' }).trim().split('\n')

/** The anchors that GitHub makes of the headings of a document. */
function anchors(markdown: string): ReadonlySet<string> {
  const headings = markdown.replaceAll(/```[\s\S]*?```/g, '').matchAll(/^#+ +(.+)$/gm)
  return new Set(
    [...headings].map(([, heading = '']) =>
      heading
        .toLowerCase()
        .replaceAll(/[^\p{L}\p{N} _-]/gu, '')
        .replaceAll(' ', '-'),
    ),
  )
}

function imports(importer: string, file: string): boolean {
  const imported = [...read(importer).matchAll(/ from '(\.[^']+)'/g)].map(([, from]) => from!)
  return imported.some((from) => path.join(path.dirname(importer), from) === file)
}

describe('docs/architecture.md', () => {
  const sections = read('docs/architecture.md')
    .split(/^## /m)
    .slice(1)
    .map((section) => ({
      title: section.split('\n')[0]!,
      rows: section.split('\n').filter((line) => line.startsWith('| `')),
    }))

  test('names files that exist', () => {
    const named = [...read('docs/architecture.md').matchAll(/`((?:src|migrations)\/[^`*]+)`/g)].map(([, file]) => file!)
    expect(named.length).toBeGreaterThan(100)
    expect(named.filter((file) => !existsSync(path.join(ROOT, file)))).toEqual([])
  })

  test.each(['Follow one window', 'Follow one live snapshot'])(
    '%s: at most 15 files, each imported by an earlier one',
    (title) => {
      const rows = sections.find((section) => section.title === title)?.rows ?? []
      const first = rows.findIndex((row) => row.includes('src/loader/derived.ts'))
      const files = rows
        .slice(0, first === -1 ? rows.length : first)
        .flatMap((row) => [...row.split('|')[1]!.matchAll(/`([^`]+)`/g)].map(([, file]) => file!))
      expect(files.length).toBeGreaterThan(10)
      expect(files.length).toBeLessThanOrEqual(15)
      // from the second on, since the schedule runs jobs that it does not know
      const unreachable = files
        .slice(2)
        .filter((file, index) => !files.slice(0, index + 2).some((by) => imports(by, file)))
      expect(unreachable).toEqual([])
    },
  )
})

test('docs/glossary.md defines each term once', () => {
  const terms = [...read('docs/glossary.md').matchAll(/^\| ([^|]+?) +\|/gm)].map(([, term]) => term!)
  expect(terms.length).toBeGreaterThan(20)
  expect(terms.filter((term, index) => terms.indexOf(term) !== index)).toEqual([])
})

test.each(documents)('the links of %s lead somewhere', (document) => {
  const links = [...read(document).matchAll(/\]\(([^()\s]+)\)/g)].map(([, link]) => link!)
  const broken = links
    .filter((link) => !/^[a-z]+:/.test(link))
    .filter((link) => {
      const [file, anchor] = link.split('#')
      const target = file === '' ? document : path.join(path.dirname(document), file!)
      if (!existsSync(path.join(ROOT, target))) return true
      return anchor !== undefined && target.endsWith('.md') && !anchors(read(target)).has(anchor)
    })
  expect(broken).toEqual([])
})
