/** The Postgres of the bench: a base database with 24 months of earlier data, and a new copy of it for every measured run. */
import { createReadStream, createWriteStream } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { pipeline } from 'node:stream/promises'
import { Client } from 'pg'
import { from as copyFrom, to as copyTo } from 'pg-copy-streams'
import { derivedColumns, derivedTables } from '../src/facts/derived.ts'
import { columnsOf, tables, type TableName } from '../src/model/columns.ts'
import { startSimulator } from '../src/simulator/server.ts'
import { connect } from '../src/postgres/connect.ts'
import { startEmbeddedPostgres } from '../src/embedded-postgres/server.ts'
import { loadBatch } from '../src/loader/load.ts'
import { migrateUp } from '../src/postgres/migrate.ts'
import { ensurePartitions } from '../src/loader/partitions.ts'

/** Months of earlier data. */
const EARLIER_MONTHS = 24

/** The settings of a small server; a commit waits for the disk. */
export const SERVER_SETTINGS: Readonly<Record<string, string>> = {
  fsync: 'on',
  synchronous_commit: 'on',
  full_page_writes: 'on',
  shared_buffers: '512MB',
  maintenance_work_mem: '128MB',
  max_wal_size: '4GB',
  checkpoint_timeout: '15min',
}

export interface BenchDatabase extends AsyncDisposable {
  /** Rows of earlier data in schema genesys. */
  readonly earlierRows: number
  /** A copy of the base database, or an empty one with the schema only. */
  copy(of: 'base' | 'empty'): Promise<Copy>
  readonly version: string
}

/** A database for one run, dropped when it is disposed of. */
export interface Copy extends AsyncDisposable {
  readonly url: string
}

/** Starts the server and prepares the base database with about `earlierRows` rows that started before `end`. */
export async function startBenchDatabase(earlierRows: number, end: Date): Promise<BenchDatabase> {
  const server = await startEmbeddedPostgres({ persistent: false, settings: SERVER_SETTINGS })
  const admin = new Client({ connectionString: urlOf(server.url, 'postgres') })
  await admin.connect()
  await admin.query('create database bench_empty')
  await migrate(urlOf(server.url, 'bench_empty'))
  await admin.query('create database bench_base template bench_empty')
  const rows = await writeEarlierData(urlOf(server.url, 'bench_base'), earlierRows, end)
  const version = await admin.query<{ version: string }>("select current_setting('server_version') as version")
  let copies = 0
  return {
    earlierRows: rows,
    version: version.rows[0]?.version ?? '',
    async copy(of) {
      const name = `bench_run_${++copies}`
      // copying files ends with a checkpoint, so that every run starts from the same state
      await admin.query(`create database ${name} template bench_${of} strategy file_copy`)
      return {
        url: urlOf(server.url, name),
        async [Symbol.asyncDispose]() {
          await admin.query(`drop database ${name} with (force)`)
        },
      }
    },
    async [Symbol.asyncDispose]() {
      await admin.end()
      await server.stop()
    },
  }
}

async function migrate(url: string): Promise<void> {
  await using warehouse = connect(url)
  await migrateUp(warehouse.db)
}

/** Loads some conversations and repeats them in every month under other ids. Returns the number of rows. */
async function writeEarlierData(url: string, wanted: number, end: Date): Promise<number> {
  const perMonth = Math.round(wanted / EARLIER_MONTHS / 34)
  await using org = await startSimulator({ seed: 'earlier', now: end, days: 1, perDay: perMonth, exactPerDay: true })
  await using warehouse = connect(url)
  const firstMonth = new Date(Date.UTC(end.getUTCFullYear(), end.getUTCMonth() - EARLIER_MONTHS, 1))
  await ensurePartitions(warehouse, { start: firstMonth, end: new Date(end.getTime() + 86_400_000) })
  const fetchedAt = end.toISOString()
  const records = org.truth().map((conversation) => ({ conversation, fetchedAt }))
  await loadBatch(warehouse, records, { source: 'query', runId: null, deliversAttributes: false })
  const repeatedIn = ({ name }: { name: string }): string => {
    if (name === 'conversation_id') return `md5(conversation_id || month)::uuid::text`
    if (name === 'conversation_start' || name === 'interval_start') return `${name} - make_interval(months => month)`
    return name
  }
  for (const table of tables) await repeat(`genesys.${table}`, columnsOf(table))
  for (const table of derivedTables) await repeat(`etl.${table}`, derivedColumns[table])
  const deciding = [
    'conversation_id',
    'conversation_start',
    'content_hash',
    'fetched_at',
    'derived_hash',
    'derived_version',
  ]
  await repeat(
    'etl.conversations',
    deciding.map((name) => ({ name })),
  )
  await warehouse.pool.query('vacuum (analyze)')
  const counts = await countRows(warehouse.pool)
  return Object.values(counts).reduce((sum, count) => sum + count, 0)

  async function repeat(table: string, columns: readonly { name: string }[]): Promise<void> {
    const names = columns.map(({ name }) => name).join(', ')
    await warehouse.pool.query(
      `insert into ${table} (${names}) select ${columns.map(repeatedIn).join(', ')}
       from ${table}, generate_series(1, ${EARLIER_MONTHS - 1}) month order by month`,
    )
  }
}

/** What a load writes beside the deciding rows: the history, and what is derived from it. */
const LOADED = [...tables.map((table) => `genesys.${table}`), ...derivedTables.map((table) => `etl.${table}`)]

/** Rows of each table of the history. */
async function countRows(client: Pick<Client, 'query'>): Promise<Record<TableName, number>> {
  const counts = tables.map((table) => `(select count(*)::int from genesys.${table}) as ${table}`)
  const { rows } = await client.query<Record<TableName, number>>(`select ${counts.join(', ')}`)
  return rows[0]!
}

/** The rows of a database in COPY's text format, one file per table. */
export interface Dump extends AsyncDisposable {
  /** Of the history, without what is derived from it. */
  readonly rows: number
  fileOf(table: string): string
}

/** Writes all rows of the history, and what is derived from them, to files. */
export async function dumpRows(url: string): Promise<Dump> {
  const folder = await mkdtemp(path.join(tmpdir(), 'genesys-etl-bench-'))
  const fileOf = (table: string): string => path.join(folder, `${table}.copy`)
  const rows = await withClient(url, async (client) => {
    for (const table of LOADED)
      await pipeline(client.query(copyTo(`copy (select * from ${table}) to stdout`)), createWriteStream(fileOf(table)))
    return Object.values(await countRows(client)).reduce((sum, count) => sum + count, 0)
  })
  return { rows, fileOf, [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }) }
}

/** The reference: loads the dump with COPY on one connection, in one transaction. Returns seconds. */
export async function copyDump(url: string, dump: Dump): Promise<number> {
  return withClient(url, async (client) => {
    const started = performance.now()
    await client.query('begin')
    for (const table of LOADED)
      await pipeline(
        createReadStream(dump.fileOf(table), { highWaterMark: 256 * 1024 }),
        client.query(copyFrom(`copy ${table} from stdin`)),
      )
    await client.query('commit')
    return (performance.now() - started) / 1000
  })
}

/**
 * The naive way at its best: one INSERT per row, prepared once per table, with one transaction per conversation. Copies the
 * rows of some conversations from one database to another. Returns the seconds of writing and the number of rows.
 */
export async function insertRowByRow(
  source: string,
  target: string,
  conversations: number,
): Promise<{ seconds: number; rows: number }> {
  const inserts = await withClient(source, async (client) => {
    const byConversation = new Map<string, { name: string; text: string; values: (string | null)[] }[]>()
    for (const table of tables) {
      const columns = columnsOf(table).map(({ name }) => name)
      const marks = columns.map((_, index) => `$${index + 1}`)
      const text = `insert into genesys.${table} (${columns.join(', ')}) values (${marks.join(', ')})`
      const { rows } = await client.query<Record<string, string | null>>(
        `select ${columns.map((name) => `${name}::text`).join(', ')} from genesys.${table} where conversation_id in
         (select conversation_id from genesys.conversations order by md5(conversation_id) limit ${conversations})`,
      )
      for (const row of rows) {
        const id = row['conversation_id']!
        if (!byConversation.has(id)) byConversation.set(id, [])
        byConversation.get(id)!.push({ name: table, text, values: columns.map((name) => row[name] ?? null) })
      }
    }
    return [...byConversation.values()]
  })
  return withClient(target, async (client) => {
    const started = performance.now()
    for (const conversation of inserts) {
      await client.query('begin')
      for (const insert of conversation) await client.query(insert)
      await client.query('commit')
    }
    const seconds = (performance.now() - started) / 1000
    return { seconds, rows: inserts.reduce((sum, conversation) => sum + conversation.length, 0) }
  })
}

/** Tuples of the history and of what is derived that were written since the database was created, once no other client is connected. */
export async function tuplesWritten(url: string): Promise<number> {
  return withClient(url, async (client) => {
    // a backend reports its figures when it ends
    for (let others = 1; others > 0;) {
      const { rows } = await client.query<{ others: number }>(
        `select count(*)::int as others from pg_stat_activity
         where datname = current_database() and pid <> pg_backend_pid() and backend_type = 'client backend'`,
      )
      others = rows[0]?.others ?? 0
    }
    await client.query('select pg_stat_clear_snapshot()')
    const { rows } = await client.query<{ tuples: string }>(
      `select sum(n_tup_ins + n_tup_upd + n_tup_del) as tuples from pg_stat_user_tables
       where schemaname = 'genesys' or relname ~ '^(dirty_hours|${derivedTables.join('|')})'`,
    )
    return Number(rows[0]?.tuples ?? 0)
  })
}

function urlOf(server: string, database: string): string {
  const url = new URL(server)
  url.pathname = `/${database}`
  return url.href
}

async function withClient<Result>(url: string, work: (client: Client) => Promise<Result>): Promise<Result> {
  const client = new Client({ connectionString: url })
  await client.connect()
  try {
    return await work(client)
  } finally {
    await client.end()
  }
}
