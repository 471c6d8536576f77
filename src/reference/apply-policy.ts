/** Applies a changed policy for personal data to the reference data that is stored. */
import { sql, type Kysely, type RawBuilder, type Transaction } from 'kysely'
import { isJsonObject, parseJson, put, storableJson, type JsonObject, type JsonValue } from '../model/json.ts'
import { type PersonalPolicy } from '../model/personal.ts'
import { applyPolicyToEntity } from '../model/personal-reference.ts'
import { referenceEntity, referenceNames, referenceTable, type ReferenceName } from '../model/reference.ts'
import type { Database } from '../postgres/database.ts'

/** Returns how many rows have changed. One transaction per list; reading lists may be under way. */
export async function applyPolicyToReferenceData(db: Kysely<Database>, policy: PersonalPolicy): Promise<number> {
  if (policy.employees === 'keep') return 0
  let changed = 0
  // the service levels are made of the list of queues, and name nobody
  for (const name of referenceNames.filter((each) => referenceEntity(each).listing !== null))
    changed += await db.transaction().execute((trx) => applyToList(trx, policy, name))
  return changed
}

async function applyToList(trx: Transaction<Database>, policy: PersonalPolicy, name: ReferenceName): Promise<number> {
  const { key, columns } = referenceEntity(name)
  /** Personal columns, each with the property from which it is filled. */
  const personal = Object.entries(columns).flatMap(([column, { from, personal: isPersonal }]) =>
    isPersonal && from?.[0] ? [{ column, property: from[0][0]! }] : [],
  )
  const selected = [...key, ...personal.map(({ column }) => column)]
  const { rows } = await sql<Record<string, string | null>>`
    select ${sql.join(selected.map((column) => sql.ref(column)))}, _extra::text as _extra
    from ${sql.raw(referenceTable(name))} order by ${sql.join(key.map((column) => sql.ref(column)))} for update`.execute(
    trx,
  )
  let changed = 0
  for (const row of rows) {
    const extra = extraOf(row['_extra'] ?? null)
    const entity: Record<string, JsonValue> = { ...extra }
    for (const { column, property } of personal) put(entity, property, row[column] ?? null)
    const treated = applyPolicyToEntity(policy, name, entity)
    if (storableJson(treated) === storableJson(entity)) continue
    const left = Object.entries(treated).filter(([property]) => Object.hasOwn(extra, property))
    const json = left.length === 0 ? null : storableJson(Object.fromEntries(left))
    const assignments = personal.map(({ column, property }) => assign(column, treated[property] as string | null))
    await sql`
      update ${sql.raw(referenceTable(name))} set ${sql.join([...assignments, sql`_extra = ${json}::jsonb`])}, _changed_at = now()
      where ${sql.join(
        key.map((column) => sql`${sql.ref(column)} = ${row[column]}`),
        sql` and `,
      )}`.execute(trx)
    changed++
  }
  return changed
}

function extraOf(text: string | null): JsonObject {
  const extra = text === null ? null : parseJson(text)
  return isJsonObject(extra) ? extra : {}
}

function assign(column: string, value: string | null): RawBuilder<unknown> {
  return sql`${sql.ref(column)} = ${value}`
}
