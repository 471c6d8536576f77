import { sql, type Kysely } from 'kysely'
import { type Database } from './database.ts'

/** The value of a fact in etl.meta, or undefined. */
export async function selectMeta<Value>(db: Kysely<Database>, key: string): Promise<Value | undefined> {
  const row = await db.selectFrom('etl.meta').select('value').where('key', '=', key).executeTakeFirst()
  return row?.value as Value | undefined
}

/** Writes a fact to etl.meta. */
export async function upsertMeta(db: Kysely<Database>, key: string, value: unknown): Promise<void> {
  const json = JSON.stringify(value)
  await db
    .insertInto('etl.meta')
    .values({ key, value: json })
    .onConflict((conflict) => conflict.column('key').doUpdateSet({ value: json, updated_at: sql<Date>`now()` }))
    .execute()
}
