import { createHash } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import path from 'node:path'
import { sql, type Kysely, type Transaction } from 'kysely'
import { EtlError } from '../errors.ts'
import { commentStatements } from './comments.ts'
import { type Database } from './database.ts'
import { LockKey } from './lock-keys.ts'
import { selectMeta, upsertMeta } from './meta.ts'

/** One view, in one file: `migrations/views/NNN-some-name.sql` defines `reporting.some_name`. */
export interface ViewFile {
  readonly name: string
  readonly text: string
}

/** In etl.meta: by name, the hash of each view's text as it was last applied. */
const VIEWS_KEY = 'views'
/** In etl.meta: the hash of all comments. */
const COMMENTS_KEY = 'comments'

/** Reads the view files of a folder in their order. */
export async function readViewFiles(folder: string): Promise<ViewFile[]> {
  const files = (await readdir(folder)).filter((name) => name.endsWith('.sql')).sort()
  return Promise.all(
    files.map(async (file) => ({
      name: `reporting.${file
        .replace(/^\d+-/, '')
        .replace(/\.sql$/, '')
        .replaceAll('-', '_')}`,
      text: await readFile(path.join(folder, file), 'utf8'),
    })),
  )
}

/** The views, and `comments`, that applyRepeatables would apply or drop. */
export async function selectStaleRepeatables(db: Kysely<Database>, views: readonly ViewFile[]): Promise<string[]> {
  const stored = (await selectMeta<Record<string, string>>(db, VIEWS_KEY)) ?? {}
  const names = new Set(views.map(({ name }) => name))
  return [
    ...Object.keys(stored).filter((name) => !names.has(name)),
    ...views.filter(({ name, text }) => stored[name] !== hash(text)).map(({ name }) => name),
    ...((await selectMeta(db, COMMENTS_KEY)) === hash(commentStatements()) ? [] : ['comments']),
  ]
}

/**
 * Brings views and comments up to date: those whose text changed since they were last applied. A view that can't be replaced is
 * dropped and created with its grants restored.
 * @returns what was applied
 * @throws EtlError VIEW_IN_USE, naming them, when views that are not ours depend on it; nothing is ever dropped by CASCADE
 */
export async function applyRepeatables(db: Kysely<Database>, views: readonly ViewFile[]): Promise<string[]> {
  return db.transaction().execute(async (trx) => {
    await sql`select pg_advisory_xact_lock(${LockKey.views})`.execute(trx)
    const applied: string[] = []
    const stored = (await selectMeta<Record<string, string>>(trx, VIEWS_KEY)) ?? {}
    const current = Object.fromEntries(views.map(({ name, text }) => [name, hash(text)]))
    for (const name of Object.keys(stored).reverse()) {
      if (name in current) continue
      await dropViews(trx, [name])
      applied.push(name)
    }
    for (const view of views) {
      if (stored[view.name] === current[view.name]) continue
      if (!(await replace(trx, view))) await recreateAll(trx, views, view)
      applied.push(view.name)
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

/** Drops our views, last first, before the tables under them are dropped. */
export async function dropRepeatables(db: Kysely<Database>): Promise<void> {
  await db.transaction().execute(async (trx) => {
    const stored = (await selectMeta<Record<string, string>>(trx, VIEWS_KEY)) ?? {}
    await dropViews(trx, Object.keys(stored).reverse())
    await trx.deleteFrom('etl.meta').where('key', 'in', [VIEWS_KEY, COMMENTS_KEY]).execute()
  })
}

async function replace(trx: Transaction<Database>, view: ViewFile): Promise<boolean> {
  await sql`savepoint replacing`.execute(trx)
  try {
    await sql.raw(view.text).execute(trx)
    await sql`release savepoint replacing`.execute(trx)
    return true
  } catch (error) {
    // 42P16: columns removed, renamed or of another type
    if ((error as { code?: string }).code !== '42P16') throw error
    await sql`rollback to savepoint replacing`.execute(trx)
    return false
  }
}

/** Drops the view and those of ours that come after it, which may depend on it, and creates them again. */
async function recreateAll(trx: Transaction<Database>, views: readonly ViewFile[], from: ViewFile): Promise<void> {
  const affected = views.slice(views.indexOf(from))
  const grants = await selectGrants(
    trx,
    affected.map(({ name }) => name),
  )
  await dropViews(trx, affected.map(({ name }) => name).reverse())
  for (const { text } of affected) await sql.raw(text).execute(trx)
  for (const grant of grants) await sql.raw(grant).execute(trx)
}

async function dropViews(trx: Transaction<Database>, names: readonly string[]): Promise<void> {
  for (const name of names) {
    await sql`savepoint dropping`.execute(trx)
    try {
      await sql`drop view if exists ${sql.raw(name)}`.execute(trx)
    } catch (error) {
      if ((error as { code?: string }).code !== '2BP01') throw error
      await sql`rollback to savepoint dropping`.execute(trx)
      const dependents = await selectDependents(trx, name)
      throw new EtlError(
        `The view ${name} must be created again, but ${dependents.join(', ')} ${dependents.length === 1 ? 'depends' : 'depend'} on it`,
        {
          code: 'VIEW_IN_USE',
          kind: 'fatal',
          hint: `Drop ${dependents.join(', ')}, run the migration again, and then create what you have dropped again.`,
        },
      )
    }
    await sql`release savepoint dropping`.execute(trx)
  }
}

async function selectDependents(trx: Transaction<Database>, name: string): Promise<string[]> {
  const { rows } = await sql<{ name: string }>`
    select distinct format('%I.%I', n.nspname, c.relname) as name
    from pg_depend d
    join pg_rewrite r on r.oid = d.objid
    join pg_class c on c.oid = r.ev_class
    join pg_namespace n on n.oid = c.relnamespace
    where d.refobjid = ${name}::regclass and d.deptype = 'n' and c.oid <> ${name}::regclass
    order by 1`.execute(trx)
  return rows.map((row) => row.name)
}

/** GRANT statements that restore the present rights on the views, on the whole and on single columns. */
async function selectGrants(trx: Transaction<Database>, names: readonly string[]): Promise<string[]> {
  const { rows } = await sql<{ statement: string }>`
    with rights as (
      select c.oid, c.relacl as acl, null::name as attname, c.relowner from pg_class c
      union all
      select a.attrelid, a.attacl, a.attname, c.relowner from pg_attribute a join pg_class c on c.oid = a.attrelid
    )
    select format('grant %s%s on %s to %s%s', acl.privilege_type, case when r.attname is null then '' else format(' (%I)', r.attname) end, r.oid::regclass,
      case acl.grantee when 0 then 'public' else acl.grantee::regrole::text end,
      case when acl.is_grantable then ' with grant option' else '' end) as statement
    from rights r, aclexplode(r.acl) acl
    where r.oid in (select to_regclass(name) from unnest(${names}::text[]) name) and acl.grantee <> r.relowner`.execute(
    trx,
  )
  return rows.map((row) => row.statement)
}

function hash(text: string): string {
  return createHash('sha256').update(text).digest('hex')
}
