/** Keeps what reconcile finds: etl.reconciliations, etl.reconciled_days, and the switches of the service level in etl.meta. */
import { sql, type Kysely } from 'kysely'
import { chunks } from '../chunks.ts'
import { type Interval } from '../model/interval.ts'
import type { Database } from '../postgres/database.ts'
import { selectErased } from '../loader/tombstones.ts'
import { selectMeta, upsertMeta } from '../postgres/meta.ts'
import { isExpected, type ClassifiedDifference } from './classify.ts'
import { type DerivedSwitches } from './service-level.ts'

/** Findings are kept this long; that a day was compared is kept for ever. */
const RETENTION = sql`interval '92 days'`
/** Figures of one day that are stored; all are counted. */
const MAX_STORED = 10_000
const ROWS_PER_INSERT = 1000
const SWITCHES_KEY = 'service_level_switches'

/** What comparing one day, or a part of one, has found. */
export interface ComparedDay {
  readonly day: Interval
  /** It is a whole UTC day. */
  readonly isWhole: boolean
  readonly byUser: boolean
  /** Cells that Genesys or we have. */
  readonly cells: number
  readonly differences: readonly ClassifiedDifference[]
}

/** Stores what one day has given, all or nothing. A part of a day is no verdict on the day. */
export async function storeComparedDay(
  db: Kysely<Database>,
  run: { readonly id: number },
  filter: object,
  compared: ComparedDay,
): Promise<void> {
  const { differences } = compared
  const day = compared.day.start.toISOString().slice(0, 10)
  await db.transaction().execute(async (trx) => {
    // before the tombstones are read: an erasure that begins later waits, and then deletes what is stored here
    await sql`lock table etl.reconciliations in row exclusive mode`.execute(trx)
    const named = new Set(
      differences.flatMap(({ conversations }) => conversations.map(({ conversationId }) => conversationId)),
    )
    const erased = await selectErased(trx, [...named])
    for (const part of chunks(faultsFirst(differences).slice(0, MAX_STORED), ROWS_PER_INSERT))
      await trx
        .insertInto('etl.reconciliations')
        .values(
          part.map((difference) => ({
            run_id: run.id,
            day,
            interval_start: difference.key.intervalStart,
            queue_id: difference.key.queueId,
            media_type: difference.key.mediaType,
            user_id: difference.key.userId,
            metric: difference.metric,
            statistic: difference.statistic,
            ours: String(difference.ours),
            theirs: String(difference.theirs),
            class: difference.class,
            conversations: difference.conversations
              .map(({ conversationId }) => conversationId)
              .filter((id) => !erased.has(id)),
          })),
        )
        .execute()
    if (!compared.isWhole) return
    const expected = differences.filter((difference) => isExpected(difference.class)).length
    await sql`
      insert into etl.reconciled_days (day, filter, run_id, by_user, cells, differences, expected)
      values (${day}::date, ${JSON.stringify(filter)}::jsonb, ${run.id}, ${compared.byUser}, ${compared.cells},
        ${differences.length - expected}, ${expected})
      on conflict (day, filter) do update set run_id = excluded.run_id, reconciled_at = now(), by_user = excluded.by_user,
        cells = excluded.cells, differences = excluded.differences, expected = excluded.expected`.execute(trx)
  })
}

function faultsFirst(differences: readonly ClassifiedDifference[]): ClassifiedDifference[] {
  return differences.toSorted((a, b) => Number(isExpected(a.class)) - Number(isExpected(b.class)))
}

/** Deletes findings whose time is over. */
export async function pruneReconciliations(db: Kysely<Database>): Promise<void> {
  await sql`delete from etl.reconciliations where created_at < now() - ${RETENTION}`.execute(db)
}

/** Those of the days (as `2026-11-20`) that a comparison has found to be equal to Genesys. */
export async function selectEqualDays(db: Kysely<Database>, filter: object): Promise<Set<string>> {
  const { rows } = await sql<{ day: string }>`
    select day::text as day from etl.reconciled_days
    where filter = ${JSON.stringify(filter)}::jsonb and differences = 0`.execute(db)
  return new Set(rows.map(({ day }) => day))
}

/** Remembers what oServiceLevel says of the switches, if it says anything. */
export async function storeSwitches(db: Kysely<Database>, { switches, groups }: DerivedSwitches): Promise<void> {
  if (groups > 0) await upsertMeta(db, SWITCHES_KEY, switches)
}

/** The switches as the latest comparison derived them; undefined: none has. */
export async function selectSwitches(db: Kysely<Database>): Promise<DerivedSwitches['switches'] | undefined> {
  return await selectMeta(db, SWITCHES_KEY)
}
