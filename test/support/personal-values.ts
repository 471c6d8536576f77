/** What of personal data a simulated organization has, and where a database has it in clear text. */
import { sql } from 'kysely'
import { isJsonObject, objects, parseJson, type JsonObject, type JsonValue } from '../../src/model/json.ts'
import { personalFields } from '../../src/model/personal.ts'
import type { Warehouse } from '../../src/postgres/connect.ts'
import type { Simulator } from '../../src/simulator/server.ts'

/** Shorter texts occur anywhere by chance. */
const SHORTEST = 5
const PERSONAL: ReadonlySet<string> = new Set(Object.values(personalFields).flatMap((fields) => Object.keys(fields)))

function textsIn(value: JsonValue): string[] {
  if (typeof value === 'string') return [value]
  if (Array.isArray(value)) return (value as readonly JsonValue[]).flatMap(textsIn)
  return isJsonObject(value) ? Object.values(value).flatMap(textsIn) : []
}

function personalTextsIn(value: JsonValue): string[] {
  if (Array.isArray(value)) return (value as readonly JsonValue[]).flatMap(personalTextsIn)
  if (!isJsonObject(value)) return []
  return Object.entries(value).flatMap(([name, inner]) =>
    PERSONAL.has(name) ? textsIn(inner) : personalTextsIn(inner),
  )
}

/**
 * Every text of a field marked as personal in the conversations of the organization, attributes included, and the names and addresses of its
 * users. See personalValuesIn.
 */
export function personalValuesOf(org: Simulator): string[] {
  const users = org.org.users.flatMap(({ name, email }) => [name, email])
  return [...new Set([...personalValuesIn(org, () => true), ...users])].filter((value) => value.length >= SHORTEST)
}

/**
 * Every text of a field marked as personal in these conversations of the organization, attributes included; without names and ids of queues, flows and the like, which some of these fields have as well.
 */
export function personalValuesIn(org: Simulator, isWanted: (record: JsonValue) => boolean): string[] {
  const { users, queues, flows, wrapUpCodes, groups } = org.org
  const records = org.truthText().map((text) => parseJson(text))
  const plain = new Set([...queues, ...flows, ...wrapUpCodes, ...groups].flatMap(({ id, name }) => [id, name]))
  const systemNames = records.filter(isJsonObject).flatMap(namesOfSystem)
  for (const name of [...systemNames, ...users.map(({ id }) => id)]) plain.add(name)
  const values = records.filter(isWanted).flatMap((record) => personalTextsOf(org, record))
  return [...new Set(values)].filter((value) => value.length >= SHORTEST && value.trim() !== '' && !plain.has(value))
}

function personalTextsOf(org: Simulator, record: JsonValue): string[] {
  const attributes = isJsonObject(record) ? attributesOf(org, record['conversationId']) : []
  return [...personalTextsIn(record), ...attributes]
}

/** Those personal values of these conversations that nothing else of the organization has. */
export function valuesOnlyOf(org: Simulator, conversationIds: readonly string[]): string[] {
  const ids: ReadonlySet<JsonValue | undefined> = new Set(conversationIds)
  const records = org.truthText().map((text) => parseJson(text))
  const isTheirs = (record: JsonValue): boolean => isJsonObject(record) && ids.has(record['conversationId'])
  const theirs = new Set(records.filter(isTheirs).flatMap((record) => personalTextsOf(org, record)))
  const others = records.filter((record) => !isTheirs(record))
  const texts = others.flatMap((record) => [JSON.stringify(record), ...personalTextsOf(org, record)])
  const shared = new Set(valuesIn([...texts, JSON.stringify(org.org)].join('\n'), [...theirs]))
  return [...theirs].filter((value) => value.length >= SHORTEST && value.trim() !== '' && !shared.has(value))
}

function attributesOf(org: Simulator, id: JsonValue | undefined): string[] {
  return typeof id === 'string' ? Object.values(org.attributesOf(id)).flatMap((each) => Object.values(each)) : []
}

const SYSTEM_PURPOSES: ReadonlySet<JsonValue | undefined> = new Set([
  'acd',
  'ivr',
  'botflow',
  'workflow',
  'voicesurveyflow',
  'voicemail',
])

/** Names of participants that are no person. */
function namesOfSystem(record: JsonObject): string[] {
  return objects(record['participants']).flatMap(({ purpose, participantName }) =>
    typeof participantName === 'string' && SYSTEM_PURPOSES.has(purpose) ? [participantName] : [],
  )
}

/** Those of the values that a text has anywhere, also as JSON. One pass over the text, since there are thousands of values. */
export function valuesIn(text: string, values: readonly string[]): string[] {
  const bySpelling = new Map(
    values.flatMap((value) => [value, JSON.stringify(value).slice(1, -1)].map((as) => [as, value])),
  )
  const lengthsByBeginning = new Map<string, Set<number>>()
  for (const spelling of bySpelling.keys()) {
    const beginning = spelling.slice(0, SHORTEST)
    lengthsByBeginning.set(beginning, (lengthsByBeginning.get(beginning) ?? new Set()).add(spelling.length))
  }
  const found = new Set<string>()
  for (let at = 0; at <= text.length - SHORTEST; at++) {
    for (const length of lengthsByBeginning.get(text.slice(at, at + SHORTEST)) ?? []) {
      const value = bySpelling.get(text.slice(at, at + length))
      if (value !== undefined) found.add(value)
    }
  }
  return [...found]
}

/** The values that any table of any schema has in any column, by table; partitions count as their tables. */
export async function findValues(warehouse: Warehouse, values: readonly string[]): Promise<Record<string, string[]>> {
  const { rows: tables } = await sql<{ name: string }>`
    select format('%I.%I', n.nspname, c.relname) as name from pg_class c join pg_namespace n on n.oid = c.relnamespace
    where c.relkind in ('r', 'p') and not c.relispartition and n.nspname not in ('pg_catalog', 'information_schema')
    order by 1`.execute(warehouse.db)
  const found: Record<string, string[]> = {}
  for (const { name } of tables) {
    const { rows } = await sql<{ text: string | null }>`
      select string_agg(to_jsonb(t)::text, chr(10)) as text from ${sql.raw(name)} t`.execute(warehouse.db)
    const here = valuesIn(rows[0]?.text ?? '', values)
    if (here.length > 0) found[name] = here
  }
  return found
}
