/**
 * Fills columns that a migration has added from what older versions kept in `_extra`, so that no history has to be read again. The
 * conversion is that of the transform, and a row comes out as a load by this version would have written it (except that a number of more
 * than 1000 digits is a text by then).
 */
import { sql, type Kysely, type RawBuilder, type Transaction } from 'kysely'
import { dataColumnsOf, tables, type Column, type TableName, type Value } from '../model/columns.ts'
import { parseJson, put, type JsonObject, type JsonValue } from '../model/json.ts'
import { type FieldType } from '../model/model.ts'
import { fitCell } from '../model/transform.ts'
import { literalOf } from '../model/copy-text.ts'
import { type Database } from './database.ts'
import { retryTransient } from './errors.ts'
import { LockKey } from './lock-keys.ts'
import { selectMeta, upsertMeta } from './meta.ts'

/** In etl.meta: the columns that need no filling, as `table.column type`. */
const FILLED_KEY = 'filled_columns'
/** In etl.meta: how far the filling of the others has got. */
const FILLING_KEY = 'filling_columns'
/** Rows per transaction: few enough that no loader waits long for one of them. */
const BATCH_SIZE = 2000

interface StoredProgress {
  /** What is being filled; when that changes, all partitions are due again. */
  readonly columns: readonly string[]
  /** Partitions that are done. */
  readonly partitions: readonly string[]
}

/** The columns whose stored rows may have values in `_extra` still, as `table.column type`; none in the normal case. */
export async function pendingFills(db: Kysely<Database>): Promise<string[]> {
  const filled = new Set(await selectMeta<readonly string[]>(db, FILLED_KEY))
  return modelColumns().filter((name) => !filled.has(name))
}

/** Limits of a call, and how to follow it. */
export interface FillOptions {
  /** Rows per transaction. */
  readonly batchSize?: number
  /** No further partition is begun after this time, so that a service can start; the next call continues. Absent: no limit. */
  readonly budgetMs?: number
  /** Called before each partition is read, which is the unit of the work. */
  readonly onPartition?: (progress: FillProgress) => void
}

/** How far the filling has got. */
export interface FillProgress {
  readonly partition: string
  /** Partitions before it, done in this call or an earlier one, and all of them. */
  readonly done: number
  readonly total: number
}

/**
 * Fills every column that is pending, partition by partition, the newest month first, some thousand rows per transaction. Progress is
 * stored: a call that ends early is continued by the next one, and where nothing is pending this costs one small query. `_loaded_at` and
 * the content hash stay, because the content does. Loaders may work at the same time. Where another process is filling, leaves the
 * rest to it.
 * @returns the number of rows filled by table, only for tables that had some
 */
export async function fillColumns(db: Kysely<Database>, options: FillOptions = {}): Promise<Map<TableName, number>> {
  const counts = new Map<TableName, number>()
  const pending = await pendingFills(db)
  if (pending.length === 0) return counts
  const end = performance.now() + (options.budgetMs ?? Number.POSITIVE_INFINITY)
  const tasks = await listTasks(db, pending)
  for (const [done, task] of tasks.entries()) {
    if (performance.now() >= end) return counts
    options.onPartition?.({ partition: task.partition, done, total: tasks.length })
    const filled = await retryTransient(() => fillPartition(db, task, pending, options.batchSize ?? BATCH_SIZE))
    if (filled === 'busy') return counts
    if (filled > 0) counts.set(task.table, (counts.get(task.table) ?? 0) + filled)
  }
  await db.transaction().execute(async (trx) => {
    await upsertMeta(trx, FILLED_KEY, modelColumns())
    await trx.deleteFrom('etl.meta').where('key', '=', FILLING_KEY).execute()
  })
  return counts
}

/** To be called when a migration was undone: a column that it dropped is due again once it has been added again. */
export async function forgetDroppedColumns(db: Kysely<Database>): Promise<void> {
  const { rows } = await sql<{ present: boolean }>`select to_regclass('etl.meta') is not null as present`.execute(db)
  const filled = rows[0]?.present ? await selectMeta<readonly string[]>(db, FILLED_KEY) : undefined
  if (filled === undefined) return
  const existing = await sql<{ name: string }>`
    select c.relname || '.' || a.attname as name from pg_attribute a join pg_class c on c.oid = a.attrelid
    where c.relnamespace = to_regnamespace('genesys') and not a.attisdropped`.execute(db)
  const names = new Set(existing.rows.map(({ name }) => name))
  await upsertMeta(
    db,
    FILLED_KEY,
    filled.filter((entry) => names.has(entry.split(' ')[0]!)),
  )
}

function modelColumns(): string[] {
  return tables.flatMap((table) => fillable(table).map((column) => nameOf(table, column)))
}

/** The columns of a table that hold a field of the API, without those that every row has. */
function fillable(table: TableName): readonly (Column & { readonly api: string })[] {
  return dataColumnsOf(table).filter(
    (column): column is Column & { readonly api: string } =>
      column.api !== null && column.name !== 'conversation_id' && column.name !== 'conversation_start',
  )
}

function nameOf(table: TableName, { name, type }: Column): string {
  return `${table}.${name} ${type}`
}

/** What is to be done, or was done by an earlier call: every partition of each table that has a pending column. */
async function listTasks(db: Kysely<Database>, pending: readonly string[]): Promise<Task[]> {
  const tasks: Task[] = []
  for (const table of tables) {
    const columns = fillable(table).filter((column) => pending.includes(nameOf(table, column)))
    if (columns.length === 0) continue
    for (const partition of await selectPartitions(db, table)) tasks.push({ table, partition, columns })
  }
  // partitions are named table_YYYY_MM
  return tasks.sort((a, b) => b.partition.slice(-7).localeCompare(a.partition.slice(-7)))
}

async function selectPartitions(db: Kysely<Database>, table: TableName): Promise<string[]> {
  const { rows } = await sql<{ name: string }>`
    select p.relid::regclass::text as name from pg_partition_tree(${`genesys.${table}`}) p join pg_class c on c.oid = p.relid
    where c.relkind = 'r' order by 1`.execute(db)
  return rows.map(({ name }) => name)
}

interface Task {
  readonly table: TableName
  readonly partition: string
  readonly columns: readonly (Column & { readonly api: string })[]
}

/**
 * Fills one partition unless it is done: one transaction reads through it once, others beside it write what is found. Returns
 * the number of rows filled, or `busy` where another process is filling or has done so.
 */
async function fillPartition(
  db: Kysely<Database>,
  task: Task,
  pending: readonly string[],
  size: number,
): Promise<number | 'busy'> {
  return db.transaction().execute(async (scan) => {
    const lock = await sql<{ got: boolean }>`select pg_try_advisory_xact_lock(${LockKey.fillColumns}) as got`.execute(
      scan,
    )
    if (!lock.rows[0]?.got) return 'busy'
    // another process may have done all of it since
    if ((await pendingFills(scan)).join() !== pending.join()) return 'busy'
    const stored = await selectMeta<StoredProgress>(scan, FILLING_KEY)
    const done = stored !== undefined && stored.columns.join() === pending.join() ? stored.partitions : []
    if (done.includes(task.partition)) return 0
    await sql`declare candidates no scroll cursor for
      select conversation_id, conversation_start::text as start, _index
      from ${sql.raw(task.partition)} where ${hasField(task)}`.execute(scan)
    let filled = 0
    for (;;) {
      const { rows } = await sql<RowKey>`fetch ${sql.raw(String(size))} from candidates`.execute(scan)
      if (rows.length === 0) break
      filled += await db.transaction().execute((trx) => fillBatch(trx, task, rows))
    }
    await upsertMeta(scan, FILLING_KEY, {
      columns: pending,
      partitions: [...done, task.partition],
    } satisfies StoredProgress)
    return filled
  })
}

/** Whether a row's `_extra` has one of the fields. Without parameters, which a cursor's declaration can't have. */
function hasField({ columns }: Task): RawBuilder<unknown> {
  return sql`_extra ?| array[${sql.join(columns.map(({ api }) => sql.lit(api)))}]`
}

interface RowKey {
  readonly conversation_id: string
  readonly start: string
  readonly _index: number
}

type CandidateRow = RowKey & Readonly<Record<string, unknown>> & { readonly extra: string }

async function fillBatch(trx: Transaction<Database>, task: Task, keys: readonly RowKey[]): Promise<number> {
  const ids = [...new Set(keys.map((key) => key.conversation_id))]
  // the primary key finds the rows; where statistics are missing the planner would read the whole partition for each batch
  await sql`set local enable_hashjoin = off; set local enable_mergejoin = off`.execute(trx)
  // the locks of a loader, in its order, so that neither undoes or blocks what the other does
  await sql`select from etl.conversations where conversation_id = any(${ids}::text[])
    order by conversation_id collate "C" for update`.execute(trx)
  const { rows } = await sql<CandidateRow>`
    select conversation_id, conversation_start::text as start, _index, _extra::text as extra,
      ${sql.join(task.columns.map(({ name }, i) => sql`${sql.ref(name)} is not null as ${sql.ref(`has_${i}`)}`))}
    from ${sql.raw(task.partition)}
    where (conversation_id, conversation_start, _index) in (select * from ${unnestKeys(keys)} k)
      and ${hasField(task)} for update`.execute(trx)
  const changed = rows.flatMap((row) => filledRow(task, row) ?? [])
  if (changed.length === 0) return 0
  const values = (i: number) => changed.map(({ cells }) => cells[i]!)
  const columns = [...task.columns, extraOf(task.table)]
  const assignments = columns.map(({ name, type }, i) => {
    const cast = sql`${sql.ref(`v.c${i}`)}::${sql.raw(type)}`
    return name === '_extra'
      ? sql`_extra = ${cast}`
      : sql`${sql.ref(name)} = coalesce(${cast}, ${sql.ref(`t.${name}`)})`
  })
  await sql`
    update ${sql.raw(task.partition)} t set ${sql.join(assignments)}
    from (select * from unnest(${changed.map(({ key }) => key.conversation_id)}::text[],
        ${changed.map(({ key }) => key.start)}::timestamptz[], ${changed.map(({ key }) => key._index)}::integer[],
        ${sql.join(columns.map((_, i) => sql`${values(i)}::text[]`))})
      as v (id, start, place, ${sql.join(columns.map((_, i) => sql.ref(`c${i}`)))})) v
    where t.conversation_id = v.id and t.conversation_start = v.start and t._index = v.place`.execute(trx)
  return changed.length
}

function unnestKeys(keys: readonly RowKey[]): RawBuilder<unknown> {
  return sql`unnest(${keys.map((key) => key.conversation_id)}::text[], ${keys.map(({ start }) => start)}::timestamptz[],
    ${keys.map((key) => key._index)}::integer[])`
}

function extraOf(table: TableName): Column {
  return dataColumnsOf(table).find(({ name }) => name === '_extra')!
}

/** The new cells of a row, those of the columns and then `_extra`, as text; null where nothing of it can be filled. */
function filledRow(
  { table, columns }: Task,
  row: CandidateRow,
): { readonly key: RowKey; readonly cells: readonly (string | null)[] } | null {
  const extra = parseJson(row.extra) as JsonObject
  const left = new Map<string, JsonValue>(Object.entries(extra))
  let isFilled = false
  const cells = columns.map((column, i): string | null => {
    // a column that has its value keeps it: what is in _extra beside it is the spelling that it can't hold
    if (!left.has(column.api) || row[`has_${i}`] === true) return null
    const fitted = fitCell(column.type as FieldType, left.get(column.api)!)
    if (fitted.cell === null) return null
    isFilled = true
    if (fitted.left === undefined) left.delete(column.api)
    return literalOf(table, column, fitted.cell)
  })
  if (!isFilled) return null
  const rest: Record<string, JsonValue> = {}
  for (const [api, value] of left) put(rest, api, value)
  const restCell: Value = left.size === 0 ? null : rest
  return { key: row, cells: [...cells, literalOf(table, extraOf(table), restCell)] }
}
