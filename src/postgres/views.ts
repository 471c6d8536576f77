import { createHash } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import path from 'node:path'
import { sql, type Kysely, type Transaction } from 'kysely'
import { EtlError } from '../errors.ts'
import { commentStatements } from './comments.ts'
import { type Database } from './database.ts'
import { LockKey } from './lock-keys.ts'
import { selectMeta, upsertMeta } from './meta.ts'

/**
 * One view or routine, in one file, with its comments: `NNN-some-name.sql` defines `reporting.some_name`, `NNN-etl.some-name.sql`
 * defines `etl.some_name`. Functions and aggregates have `()` after their names here; their names are not overloaded.
 */
export interface Repeatable {
  readonly name: string
  readonly text: string
}

/** In etl.meta: by name, the hash of each text as it was last applied. */
const VIEWS_KEY = 'views'
/** In etl.meta: the hash of all comments. */
const COMMENTS_KEY = 'comments'
/** While a view waits for a query that is using it, other queries wait behind it: reports must not stand still for minutes. */
const LOCK_TIMEOUT = sql`set local lock_timeout = '3s'`

/** Reads the files of some folders, folder by folder, each in the order of its names: a file may depend on those before it. */
export async function readRepeatables(folders: readonly string[]): Promise<Repeatable[]> {
  const lists = await Promise.all(folders.map(readFolder))
  return lists.flat()
}

async function readFolder(folder: string): Promise<Repeatable[]> {
  const files = (await readdir(folder)).filter((name) => name.endsWith('.sql')).sort()
  return Promise.all(
    files.map(async (file) => {
      const text = await readFile(path.join(folder, file), 'utf8')
      const name = file
        .replace(/^\d+-/, '')
        .replace(/\.sql$/, '')
        .replaceAll('-', '_')
      const isView = /^create or replace (\w+)/m.exec(text)?.[1] === 'view'
      return { name: `${name.includes('.') ? '' : 'reporting.'}${name}${isView ? '' : '()'}`, text }
    }),
  )
}

/** The views and routines, and `comments`, that applyRepeatables would apply or drop. */
export async function selectStaleRepeatables(
  db: Kysely<Database>,
  repeatables: readonly Repeatable[],
): Promise<string[]> {
  const stored = (await selectMeta<Record<string, string>>(db, VIEWS_KEY)) ?? {}
  const names = new Set(repeatables.map(({ name }) => name))
  return [
    ...Object.keys(stored).filter((name) => !names.has(name)),
    ...repeatables.filter(({ name, text }) => stored[name] !== hash(text)).map(({ name }) => name),
    ...((await selectMeta(db, COMMENTS_KEY)) === hash(commentStatements()) ? [] : ['comments']),
  ]
}

/**
 * Brings views, routines and comments up to date: those whose text changed since they were last applied. One that can't be replaced is
 * dropped, with those of ours that depend on it, and created again with its grants.
 * @param repeatables in their order
 * @returns what was applied
 * @throws EtlError VIEW_IN_USE, naming them, when objects that are not ours depend on it; nothing is ever dropped by CASCADE. Where a
 * query holds a view for 3 s, a transient database error, and nothing is changed
 */
export async function applyRepeatables(db: Kysely<Database>, repeatables: readonly Repeatable[]): Promise<string[]> {
  return db.transaction().execute(async (trx) => {
    await sql`select pg_advisory_xact_lock(${LockKey.views})`.execute(trx)
    await LOCK_TIMEOUT.execute(trx)
    const stored = (await selectMeta<Record<string, string>>(trx, VIEWS_KEY)) ?? {}
    const current = Object.fromEntries(repeatables.map(({ name, text }) => [name, hash(text)]))
    const ours = new Set([...Object.keys(stored), ...Object.keys(current)])
    const applied: string[] = []
    const dropped = new Map<string, readonly string[]>()
    const drop = async (name: string) => {
      for (const each of await selectWithDependents(trx, name, ours)) {
        dropped.set(each, await selectGrants(trx, each))
        await dropOne(trx, each)
      }
    }
    for (const name of Object.keys(stored)) {
      if (name in current) continue
      await drop(name)
      applied.push(name)
    }
    for (const repeatable of repeatables) {
      const { name, text } = repeatable
      if (stored[name] === current[name] && !dropped.has(name)) continue
      if (!(await replace(trx, repeatable))) {
        await drop(name)
        await sql.raw(text).execute(trx)
      }
      for (const grant of dropped.get(name) ?? []) await sql.raw(grant).execute(trx)
      applied.push(name)
    }
    if (applied.length > 0) await upsertMeta(trx, VIEWS_KEY, current)
    const comments = commentStatements()
    if ((await selectMeta(trx, COMMENTS_KEY)) !== hash(comments)) {
      await sql.raw(comments).execute(trx)
      await upsertMeta(trx, COMMENTS_KEY, hash(comments))
      applied.push('comments')
    }
    return applied
  })
}

/**
 * Drops our views and routines before the tables under them are dropped.
 * @throws EtlError VIEW_IN_USE, and database errors, as applyRepeatables
 */
export async function dropRepeatables(db: Kysely<Database>): Promise<void> {
  await db.transaction().execute(async (trx) => {
    await LOCK_TIMEOUT.execute(trx)
    const ours = new Set(Object.keys((await selectMeta<Record<string, string>>(trx, VIEWS_KEY)) ?? {}))
    for (const name of ours) {
      for (const each of await selectWithDependents(trx, name, ours)) await dropOne(trx, each)
    }
    await trx.deleteFrom('etl.meta').where('key', 'in', [VIEWS_KEY, COMMENTS_KEY]).execute()
  })
}

function isRoutine(name: string): boolean {
  return name.endsWith('()')
}

/** The name as SQL has it, without the mark of a routine. */
function bareName(name: string): string {
  return name.replace(/\(\)$/, '')
}

/** False, and nothing is changed: it must be dropped first. */
async function replace(trx: Transaction<Database>, { name, text }: Repeatable): Promise<boolean> {
  await sql`savepoint replacing`.execute(trx)
  try {
    await sql.raw(text).execute(trx)
    // other parameters make a second routine beside the old one
    if (!isRoutine(name) || (await countRoutines(trx, name)) === 1) {
      await sql`release savepoint replacing`.execute(trx)
      return true
    }
  } catch (error) {
    // columns of a view, or result or parameter names of a function, that are removed, renamed or of another type
    if (!['42P16', '42P13'].includes((error as { code?: string }).code ?? '')) throw error
  }
  await sql`rollback to savepoint replacing`.execute(trx)
  return false
}

async function countRoutines(trx: Transaction<Database>, name: string): Promise<number> {
  const { rows } = await sql`
    select from pg_proc where format('%I.%I', pronamespace::regnamespace, proname) = ${bareName(name)}`.execute(trx)
  return rows.length
}

/** Drops the view, or the routines of that name, if it is there. */
async function dropOne(trx: Transaction<Database>, name: string): Promise<void> {
  if (!isRoutine(name)) {
    await sql`drop view if exists ${sql.raw(name)}`.execute(trx)
    return
  }
  const { rows } = await sql<{ signature: string }>`
    select oid::regprocedure::text as signature from pg_proc
    where format('%I.%I', pronamespace::regnamespace, proname) = ${bareName(name)}`.execute(trx)
  for (const { signature } of rows) await sql`drop routine ${sql.raw(signature)}`.execute(trx)
}

/**
 * The view or routine and whatever of ours depends on it, in an order in which they can be dropped.
 * @throws EtlError VIEW_IN_USE
 */
async function selectWithDependents(
  trx: Transaction<Database>,
  name: string,
  ours: ReadonlySet<string>,
): Promise<string[]> {
  const dependents = await selectDependents(trx, name)
  const foreign = dependents.filter((dependent) => !ours.has(dependent))
  if (foreign.length > 0) {
    const list = foreign.join(', ')
    throw new EtlError(
      `The ${isRoutine(name) ? 'function' : 'view'} ${name} has to be dropped, but ${list} ${foreign.length === 1 ? 'depends' : 'depend'} on it`,
      {
        code: 'VIEW_IN_USE',
        kind: 'fatal',
        hint: `Drop ${list}, run the migration again, and then create what you have dropped again.`,
      },
    )
  }
  const order = new Set<string>()
  for (const dependent of dependents) {
    for (const each of await selectWithDependents(trx, dependent, ours)) order.add(each)
  }
  return [...order, name]
}

/** What depends on the view, its row type or the routines of that name; named as in Repeatable, other objects in words. */
async function selectDependents(trx: Transaction<Database>, name: string): Promise<string[]> {
  const bare = bareName(name)
  const { rows } = await sql<{ name: string }>`
    with target (classid, objid) as (
      select 'pg_class'::regclass, oid from pg_class where not ${isRoutine(name)} and oid = to_regclass(${bare})
      union all
      select 'pg_type'::regclass, reltype from pg_class where not ${isRoutine(name)} and oid = to_regclass(${bare})
      union all
      select 'pg_proc'::regclass, oid from pg_proc
      where ${isRoutine(name)} and format('%I.%I', pronamespace::regnamespace, proname) = ${bare}
    )
    select distinct coalesce(
      (select format('%I.%I', c.relnamespace::regnamespace, c.relname) from pg_rewrite r join pg_class c on c.oid = r.ev_class
       where d.classid = 'pg_rewrite'::regclass and r.oid = d.objid),
      (select format('%I.%I()', p.pronamespace::regnamespace, p.proname) from pg_proc p
       where d.classid = 'pg_proc'::regclass and p.oid = d.objid),
      pg_describe_object(d.classid, d.objid, d.objsubid)) as name
    from target t join pg_depend d on d.refclassid = t.classid and d.refobjid = t.objid and d.deptype = 'n'
    where not exists (select from pg_rewrite r where d.classid = 'pg_rewrite'::regclass and r.oid = d.objid and r.ev_class = t.objid)
    order by 1`.execute(trx)
  return rows.map((row) => row.name)
}

/**
 * Statements that restore the present rights: on the view as a whole and on single columns, or on the routine, which everybody may
 * call unless somebody has revoked that.
 */
async function selectGrants(trx: Transaction<Database>, name: string): Promise<string[]> {
  const bare = bareName(name)
  const { rows } = await sql<{ statement: string }>`
    with rights as (
      select c.relacl as acl, null::name as attname, c.relowner as owner, '' as kind from pg_class c
      where not ${isRoutine(name)} and c.oid = to_regclass(${bare})
      union all
      select a.attacl, a.attname, c.relowner, '' from pg_attribute a join pg_class c on c.oid = a.attrelid
      where not ${isRoutine(name)} and c.oid = to_regclass(${bare})
      union all
      select proacl, null, proowner, 'routine ' from pg_proc
      where ${isRoutine(name)} and format('%I.%I', pronamespace::regnamespace, proname) = ${bare}
    )
    select format('revoke all on routine %s from public', ${bare}::text) as statement from rights where kind <> '' and acl is not null
    union all
    select format('grant %s%s on %s%s to %s%s', acl.privilege_type, case when r.attname is null then '' else format(' (%I)', r.attname) end,
      r.kind, ${bare}::text, case acl.grantee when 0 then 'public' else acl.grantee::regrole::text end,
      case when acl.is_grantable then ' with grant option' else '' end)
    from rights r, aclexplode(r.acl) acl
    where acl.grantee <> r.owner`.execute(trx)
  return rows.map((row) => row.statement)
}

function hash(text: string): string {
  return createHash('sha256').update(text).digest('hex')
}
