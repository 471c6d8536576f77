import { readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { parse } from 'yaml'
import { expect, test } from 'vitest'
import manifest from '../../package.json' with { type: 'json' }
import { dbtModels } from '../../scripts/dbt-models.ts'
import { dbtFiles, dbtFolder } from '../../scripts/dbt-package.ts'
import { commentedViews } from '../../scripts/view-comments.ts'

interface Described {
  readonly name: string
  readonly description: string
  readonly columns: readonly { readonly name: string; readonly description: string }[]
}

const files = dbtFiles()
const { models } = parse(files['models/models.yml'] ?? '') as { models: readonly Described[] }

test('the properties of the dbt package are current (else: npm run docs)', () => {
  for (const [name, text] of Object.entries(files))
    expect(readFileSync(path.join(dbtFolder, name), 'utf8'), name).toBe(text)
})

test('the package has the version of genesys-etl', () => {
  const project = parse(readFileSync(path.join(dbtFolder, 'dbt_project.yml'), 'utf8')) as { version: string }
  expect(project.version).toBe(manifest.version)
})

test('every model is described, with each of its columns', () => {
  const inFolders = Object.values(dbtModels).map(({ folder }) => folder)
  const written = [...new Set(inFolders)].flatMap((folder) =>
    readdirSync(path.join(dbtFolder, 'models', folder)).map((file) => file.replace(/\.sql$/, '')),
  )
  expect(models.map(({ name }) => name).sort()).toEqual(written.sort())
  for (const { name, description, columns } of models) {
    expect(description, name).not.toBe('')
    expect(columns.length, name).toBeGreaterThan(0)
    expect(
      columns.filter((column) => !column.description).map((column) => column.name),
      name,
    ).toEqual([])
  }
})

/** What the copies of conversations lack: what changes while the conversation does not, and personal data. */
const OMITTED =
  /_name$|^requested_skills$|^requested_language$|^is_final$|^loaded_at$|^wrap_up_note$|^customer_address$/

test('a staging model has every column of its view, but for names, what changes otherwise, and personal data', () => {
  const views = new Map(commentedViews().map((view) => [view.name, view.columns.map(({ name }) => name)]))
  const staging = Object.entries(dbtModels).filter(([, { folder }]) => folder === 'staging')
  expect(staging.length).toBeGreaterThan(2)
  for (const [name, { from }] of staging) {
    const copied = models.find((model) => model.name === name)?.columns.map((column) => column.name)
    expect(copied?.toSorted(), name).toEqual(
      views
        .get(from)
        ?.filter((column) => !OMITTED.test(column))
        .sort(),
    )
  }
})
