/** Checks of the database: what a load needs of the server, and the schema. */
import { commandLine } from '../../command-line.ts'
import { inspectDatabase, inspectSchema } from '../../postgres/inspect.ts'
import { migrationStatus, unfilledColumns } from '../../postgres/migrate.ts'
import { formatCount } from '../print.ts'
import { type Check, type CheckContext, type Finding } from './check.ts'

export const databaseChecks: readonly Check[] = [
  { name: 'database', run: checkDatabase },
  { name: 'schema', run: checkSchema },
]

async function checkDatabase({ app }: CheckContext): Promise<Finding[]> {
  const findings = await inspectDatabase(app.warehouse)
  return findings.map((finding) => ({ ...finding, name: `database: ${finding.name}` }))
}

async function checkSchema({ app }: CheckContext, block: () => void): Promise<Finding[]> {
  const { db } = app.warehouse
  const migrations = await migrationStatus(db)
  const unfilled = await unfilledColumns(db, migrations)
  if (migrations.some(({ executedAt, known }) => executedAt === null || !known)) block()
  const details = await inspectSchema(db, migrations)
  return [schemaFinding(migrations, unfilled), ...details]
}

function schemaFinding(migrations: Awaited<ReturnType<typeof migrationStatus>>, unfilled: readonly string[]): Finding {
  const name = 'schema'
  if (migrations.some(({ known }) => !known)) {
    const detail = 'was migrated by a newer version'
    return { name, verdict: 'failed', detail, fix: 'Run that version or a later one.' }
  }
  const fix = `Run: ${commandLine('migrate up')} (serve, sync and backfill do it by themselves unless AUTO_MIGRATE is false)`
  const pending = migrations.filter(({ executedAt }) => !executedAt).length
  if (pending > 0) {
    const detail = `${formatCount(pending, 'migration')} ${pending === 1 ? 'is' : 'are'} pending`
    return { name, verdict: 'warning', detail, fix }
  }
  if (unfilled.length > 0) {
    const detail = `${formatCount(unfilled.length, 'column')} still ${unfilled.length === 1 ? 'has' : 'have'} to be filled from _extra`
    return { name, verdict: 'warning', detail, fix }
  }
  return { name, verdict: 'ok', detail: 'up to date' }
}
