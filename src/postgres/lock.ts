import { createHash } from 'node:crypto'
import { hostname } from 'node:os'
import { sql, type Kysely } from 'kysely'
import { type Client } from 'pg'
import { EtlError } from '../errors.ts'
import { destroy, withQueriesUnder } from './client.ts'
import { type Warehouse } from './connect.ts'
import { type Database } from './database.ts'
import { toEtlError } from './errors.ts'
import { LOCK_SPACE } from './lock-keys.ts'
import { isBehindPooler } from './pooler.ts'

const HEARTBEAT_MS = 20_000
const HEARTBEAT_TIMEOUT_MS = 20_000
const CLOSE_TIMEOUT_MS = 5_000

/**
 * Runs `work` while holding the job's lock, a session-level advisory lock on a connection of its own: no two processes on one
 * database run the same job at once. The signal handed to `work` aborts with `signal`, and when that connection is lost; its
 * queries then end, too (withQueriesUnder).
 * @throws the reason of `signal` when that has aborted
 * @throws EtlError JOB_ALREADY_RUNNING (retryable) when another process holds it, POOLER_IN_THE_WAY behind a pooler that
 * changes connections between transactions, where such a lock protects nothing, JOB_LOCK_LOST (retryable)
 */
export async function withJobLock<Result>(
  warehouse: Warehouse,
  job: string,
  signal: AbortSignal,
  work: (signal: AbortSignal) => Promise<Result>,
): Promise<Result> {
  signal.throwIfAborted()
  const key = lockKey(job)
  const holder = `lock ${job} ${hostname()}:${process.pid}`
  const client = await warehouse.connectAlone(holder).catch((error: unknown) => {
    throw toEtlError(error, `connecting for the lock of ${job}`)
  })
  try {
    await acquire(warehouse, client, job, key)
    return await whileHeld(client, job, key, signal, work)
  } finally {
    // closing the connection releases the lock; it must not hide the error of the work
    await closeSoon(client)
  }
}

/** Whether some process of this database runs one of the jobs now. */
export async function isAnyJobRunning(db: Kysely<Database>, jobs: readonly string[]): Promise<boolean> {
  const { rows } = await sql<{ running: boolean }>`
    select exists (select from pg_locks
      where locktype = 'advisory' and classid = ${LOCK_SPACE} and objid = any(${jobs.map(lockKey)}::bigint[])
        and objsubid = 2 and granted and database = (select oid from pg_database where datname = current_database())
    ) as running`.execute(db)
  return rows[0]?.running === true
}

async function acquire(warehouse: Warehouse, client: Client, job: string, key: number): Promise<void> {
  try {
    const { rows } = await client.query<{ locked: boolean }>('select pg_try_advisory_lock($1, $2) as locked', [
      LOCK_SPACE,
      key,
    ])
    if (await isBehindPooler(warehouse, client)) {
      await client.query('select pg_advisory_unlock($1, $2)', [LOCK_SPACE, key])
      throw new EtlError(
        'DATABASE_URL leads to a connection pooler in transaction mode, where session-level advisory locks do not work',
        {
          code: 'POOLER_IN_THE_WAY',
          kind: 'config',
          hint: 'Point DATABASE_URL at Postgres itself, or at the pooler’s session mode.',
        },
      )
    }
    if (rows[0]?.locked !== true) throw alreadyRunning(job, await selectHolder(client, key))
  } catch (error) {
    throw toEtlError(error, `taking the lock of ${job}`)
  }
}

async function selectHolder(client: Client, key: number): Promise<{ name: string; since: Date } | undefined> {
  const { rows } = await client.query<{ name: string; since: Date }>(
    `select a.application_name as name, a.backend_start as since
     from pg_locks l join pg_stat_activity a on a.pid = l.pid
     where l.locktype = 'advisory' and l.classid = $1 and l.objid = $2 and l.objsubid = 2 and l.granted
       and l.database = (select oid from pg_database where datname = current_database())`,
    [LOCK_SPACE, key],
  )
  return rows[0]
}

function alreadyRunning(job: string, holder: { name: string; since: Date } | undefined): EtlError {
  // the host may be cut off, since Postgres keeps 63 bytes of a name; the sessions of other users are not shown
  const host = / lock \S+ (\S+)$/.exec(holder?.name ?? '')?.[1]
  const since = holder?.since ? ` since ${holder.since.toISOString()}` : ''
  return new EtlError(`The job ${job} is already running${host ? ` on ${host}` : ''}${since}`, {
    code: 'JOB_ALREADY_RUNNING',
    kind: 'retryable',
    hint: 'Let it finish, or stop that process; it is safe to run this again later.',
  })
}

async function whileHeld<Result>(
  client: Client,
  job: string,
  key: number,
  signal: AbortSignal,
  work: (signal: AbortSignal) => Promise<Result>,
): Promise<Result> {
  const lost = new AbortController()
  const onLoss = () => lost.abort(lockLost(job))
  client.once('error', onLoss)
  client.once('end', onLoss)
  const heartbeat = setInterval(() => {
    isStillHeld(client, key).then(
      (isHeld) => isHeld || onLoss(),
      () => onLoss(),
    )
  }, HEARTBEAT_MS)
  heartbeat.unref()
  const both = AbortSignal.any([signal, lost.signal])
  try {
    const result = await withQueriesUnder(both, () => work(both))
    lost.signal.throwIfAborted()
    return result
  } finally {
    clearInterval(heartbeat)
    client.removeListener('error', onLoss)
    client.removeListener('end', onLoss)
  }
}

/** A connection that died silently does not answer, and a pooler that has come in between answers for another session. */
async function isStillHeld(client: Client, key: number): Promise<boolean> {
  const answer = client.query<{ held: boolean }>(
    `select exists (select from pg_locks where locktype = 'advisory' and classid = $1 and objid = $2 and objsubid = 2
       and pid = pg_backend_pid() and granted) as held`,
    [LOCK_SPACE, key],
  )
  const timeout = Promise.withResolvers<never>()
  const timer = setTimeout(() => timeout.reject(new Error('no answer')), HEARTBEAT_TIMEOUT_MS)
  try {
    const { rows } = await Promise.race([answer, timeout.promise])
    return rows[0]?.held === true
  } finally {
    clearTimeout(timer)
    answer.catch(() => {})
  }
}

/** A server that has gone silent does not confirm the end; the connection is closed without it then. */
async function closeSoon(client: Client): Promise<void> {
  const timer = setTimeout(() => destroy(client), CLOSE_TIMEOUT_MS)
  await client.end().catch(() => {})
  clearTimeout(timer)
}

function lockLost(job: string): EtlError {
  return new EtlError(`The connection that holds the lock of ${job} is lost, so the job stopped`, {
    code: 'JOB_LOCK_LOST',
    kind: 'retryable',
    hint: 'Check that the database is running and reachable. What was loaded stays; the next run loads the rest.',
  })
}

function lockKey(job: string): number {
  return createHash('sha256').update(job).digest().readUInt32BE(0) & 0x7fffffff
}
