/** What the status knows of the comparison with Genesys. */
import { sql, type Kysely } from 'kysely'
import type { ReconciliationRecord } from './records.ts'
import type { Database, JsonRecord } from '../postgres/database.ts'
import { selectSwitches } from '../reporting/reconciliation-store.ts'
import { differingSwitches } from '../reporting/service-level.ts'
import { selectSettings } from '../reporting/settings.ts'

/** What was compared earlier is of the past. */
const SHOWN_FOR = sql`interval '92 days'`

/** Reads the state of the comparison for the history with this filter. */
export async function selectReconciliation(db: Kysely<Database>, filter: object): Promise<ReconciliationRecord> {
  const { rows } = await sql<{ day: string; reconciled_at: Date; differences: number; expected: number }>`
    select day::text, reconciled_at, differences, expected from etl.reconciled_days
    where filter = ${JSON.stringify(filter)}::jsonb and reconciled_at > now() - ${SHOWN_FOR} order by day desc`.execute(
    db,
  )
  const { rows: runs } = await sql<{ counts: JsonRecord | null }>`
    select counts from etl.runs where job = 'reconcile' and status = 'done' order by id desc limit 1`.execute(db)
  const missing = runs[0]?.counts?.['missingPermission']
  return {
    newestDay: rows[0] ? startOf(rows[0].day) : null,
    reconciledAt: rows.reduce<Date | null>(
      (latest, { reconciled_at: at }) => (latest && latest > at ? latest : at),
      null,
    ),
    days: rows.length,
    differences: rows.reduce((sum, row) => sum + row.differences, 0),
    expected: rows.reduce((sum, row) => sum + row.expected, 0),
    differingDays: rows
      .filter(({ differences }) => differences > 0)
      .map(({ day, differences }) => ({ day: startOf(day), differences })),
    missingPermission: typeof missing === 'string' ? missing : null,
    differingSwitches: await selectDifferingSwitches(db),
  }
}

async function selectDifferingSwitches(db: Kysely<Database>): Promise<Record<string, boolean>> {
  const switches = await selectSwitches(db)
  if (switches === undefined) return {}
  const columns = differingSwitches({ switches }, await selectSettings(db))
  return Object.fromEntries(columns.map((column) => [column, switches[column] === true]))
}

function startOf(day: string): Date {
  return new Date(`${day}T00:00:00.000Z`)
}
