/** Databases as the releases before interval cells and before facts left them, and what they have to become. */
import type { JsonObject } from '../../src/model/json.ts'
import { connect } from '../../src/postgres/connect.ts'
import { migrateDown } from '../../src/postgres/migrate.ts'
import { load } from '../loader/conversations.ts'
import { storedDerived } from './calls.ts'
import { createTestDatabase, type TestDatabase } from './database.ts'
import { loadBeforeCells } from './loader-before-cells.ts'

/** The first migration that the release before cells does not know. */
export const FIRST_MIGRATION = '20261126T1500Z-create-interval-cells'

/** A database of that release with these conversations, which were fetched at `fetchedAt`. */
export async function databaseBeforeCells(
  conversations: readonly JsonObject[],
  fetchedAt = '2026-04-01T00:00:01.000Z',
): Promise<TestDatabase> {
  const database = await createTestDatabase()
  await using warehouse = connect(database.url)
  for (;;) if ((await migrateDown(warehouse.db)).includes(FIRST_MIGRATION)) break
  if (conversations.length > 0) await loadBeforeCells(warehouse, conversations, fetchedAt)
  return database
}

/** A database of the release that had cells but no facts, with these conversations. */
export async function databaseBeforeFacts(conversations: readonly JsonObject[]): Promise<TestDatabase> {
  const database = await createTestDatabase()
  await using warehouse = connect(database.url)
  await load(warehouse, conversations, 1)
  for (;;) if ((await migrateDown(warehouse.db)).includes('20261126T1700Z-create-facts')) break
  return database
}

/** The derived rows of the conversations in a database that has never known anything else. */
export async function freshlyDerived(conversations: readonly JsonObject[]): Promise<string[]> {
  await using database = await createTestDatabase()
  await using warehouse = connect(database.url)
  await load(warehouse, conversations, 1)
  return await storedDerived(warehouse)
}
