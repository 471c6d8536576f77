import { Client, escapeIdentifier, type Pool } from 'pg'
import type { Warehouse } from './connect.ts'
import { toEtlError } from './errors.ts'

/** One thing that was looked at. */
export interface Finding {
  readonly name: string
  readonly verdict: 'ok' | 'warning' | 'failed'
  readonly detail: string
  /** What to do, where it is not ok. */
  readonly mend?: string | undefined
}

interface Facts {
  version: string
  version_number: number
  database: string
  user: string
  encoding: string
  can_create: boolean
  read_only: boolean
  clock: Date
  foreign_tables: string[]
  /** Who owns them. */
  owners: string[]
}

/** server_version_num of the oldest Postgres that is supported. */
const oldestVersion = 140_000
const clockToleranceMs = 30_000

/**
 * Looks at the database for what a load needs: version, encoding, rights, no pooler in transaction mode, clock.
 * @throws EtlError that says what to mend where it can't be reached
 */
export async function inspectDatabase(warehouse: Warehouse): Promise<Finding[]> {
  try {
    await warehouse.pool.query('select 1')
    const sent = Date.now()
    const { rows } = await warehouse.pool.query<Facts>(`
      select current_setting('server_version') as version, current_setting('server_version_num')::int as version_number,
        current_database()::text as database, current_user::text as user, current_setting('server_encoding') as encoding,
        has_database_privilege(current_database(), 'create') as can_create,
        pg_is_in_recovery() or current_setting('default_transaction_read_only')::bool as read_only,
        clock_timestamp() as clock,
        array(select format('%I.%I', n.nspname, c.relname) from pg_class c join pg_namespace n on n.oid = c.relnamespace
          where n.nspname in ('genesys', 'etl', 'reporting') and c.relkind in ('r', 'p', 'v') and not c.relispartition
            and not pg_has_role(c.relowner, 'usage') order by 1) as foreign_tables,
        array(select distinct pg_get_userbyid(c.relowner)::text from pg_class c join pg_namespace n on n.oid = c.relnamespace
          where n.nspname in ('genesys', 'etl', 'reporting') and not pg_has_role(c.relowner, 'usage') order by 1) as owners`)
    const middle = (sent + Date.now()) / 2
    const facts = rows[0]!
    return [
      versionFinding(facts),
      encodingFinding(facts),
      rightsFinding(facts),
      await poolerFinding(warehouse),
      clockFinding(middle - facts.clock.getTime()),
    ]
  } catch (error) {
    throw toEtlError(error, 'looking at the database')
  }
}

function versionFinding({ version, version_number }: Facts): Finding {
  const name = 'version'
  if (version_number >= oldestVersion) return { name, verdict: 'ok', detail: `Postgres ${version}` }
  return { name, verdict: 'failed', detail: `Postgres ${version} is too old`, mend: 'Upgrade it to 14 or newer.' }
}

function encodingFinding({ encoding }: Facts): Finding {
  const name = 'encoding'
  if (encoding === 'UTF8') return { name, verdict: 'ok', detail: encoding }
  const mend = "Use a database made with: create database … encoding 'UTF8' template template0"
  return { name, verdict: 'failed', detail: `${encoding} can't hold every character`, mend }
}

function rightsFinding({ database, user, can_create, read_only, foreign_tables, owners }: Facts): Finding {
  const name = 'rights'
  if (read_only) {
    return { name, verdict: 'failed', detail: 'it is read-only', mend: 'Let DATABASE_URL name the primary server.' }
  }
  const grants = foreign_tables.map((table) => `alter table ${table} owner to ${escapeIdentifier(user)};`)
  if (!can_create)
    grants.unshift(`grant create on database ${escapeIdentifier(database)} to ${escapeIdentifier(user)};`)
  if (grants.length === 0) return { name, verdict: 'ok', detail: `${user} may migrate and load` }
  const statements = grants.join(' ')
  return {
    name,
    verdict: 'failed',
    detail: `${user} ${can_create ? 'does not own all tables' : 'may not create schemas'}`,
    mend:
      owners.length > 0
        ? // the reader's role, say: it should not be given the tables
          `Let DATABASE_URL name the user that owns them (${owners.join(', ')}). Or, if that is not to load any more, as an administrator run: ${statements}`
        : `As an administrator run: ${statements}`,
  }
}

async function poolerFinding(warehouse: Warehouse): Promise<Finding> {
  const name = 'connection'
  if (!(await isBehindPooler(warehouse))) return { name, verdict: 'ok', detail: 'locks of a session hold' }
  return {
    name,
    verdict: 'failed',
    detail: 'a pooler in transaction mode stands in between, where locks of a session do not hold',
    mend: 'Point DATABASE_URL at Postgres itself, or at the pooler’s session mode.',
  }
}

function clockFinding(aheadMs: number): Finding {
  const name = 'clock'
  if (Math.abs(aheadMs) <= clockToleranceMs) return { name, verdict: 'ok', detail: "agrees with this machine's" }
  const seconds = Math.round(Math.abs(aheadMs) / 1000)
  return {
    name,
    verdict: 'warning',
    detail: `this machine is ${seconds} s ${aheadMs > 0 ? 'ahead of' : 'behind'} it`,
    mend: 'Synchronise both with a time server (NTP); the days that are owed go by the clock of the database.',
  }
}

/**
 * Whether a pooler in transaction mode stands in between: two connections of ours are served by one backend, or one changes
 * its backend.
 */
export async function isBehindPooler(warehouse: Warehouse, alone?: Client): Promise<boolean> {
  const client = alone ?? (await warehouse.connectAlone('probe'))
  try {
    const pidOf = async (connection: Client | Pool) =>
      (await connection.query<{ pid: number }>('select pg_backend_pid() as pid')).rows[0]?.pid
    const first = await pidOf(client)
    return (await pidOf(warehouse.pool)) === first || (await pidOf(client)) !== first
  } finally {
    if (!alone) await client.end().catch(() => {})
  }
}
