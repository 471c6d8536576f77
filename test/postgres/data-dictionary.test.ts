import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { columnsOf, tables } from '../../src/model/columns.ts'
import { model } from '../../src/model/model.ts'
import { dataDictionary, dictionaryFile } from '../../scripts/data-dictionary.ts'

test('docs/data-dictionary.md is current (else: npm run docs)', () => {
  expect(readFileSync(dictionaryFile, 'utf8')).toBe(dataDictionary())
})

test('every table and column has a description', () => {
  const missing = tables.flatMap((table) => [
    ...(model[table].description ? [] : [table]),
    ...columnsOf(table).flatMap(({ name, description }) => (description ? [] : [`${table}.${name}`])),
  ])
  expect(missing).toEqual([])
})
