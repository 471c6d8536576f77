import { openApp } from '../app.ts'
import { commandLine } from '../command-line.ts'
import { ConfigError, EtlError } from '../errors.ts'
import { migrateDown, migrateUp, migrationStatus, unfilledColumns, wouldDropHistory } from '../postgres/migrate.ts'
import { type CommandContext } from './context.ts'
import { formatCount, table } from './print.ts'

/** `migrate [up|down|status]`: brings the schema up to date, reverts its last migration, or lists all migrations. */
export async function migrate(
  { direction, yes }: { readonly direction: string; readonly yes: boolean },
  { env, output }: CommandContext,
): Promise<void> {
  if (!['up', 'down', 'status'].includes(direction)) {
    throw new ConfigError(`migrate ${direction}: unknown direction`, 'Use migrate up, migrate down or migrate status.')
  }
  await using app = await openApp(env, { database: true })
  const { db } = app.warehouse
  if (direction === 'down' && !yes && (await wouldDropHistory(db))) {
    throw new EtlError('migrate down would drop every loaded conversation', {
      code: 'WOULD_DROP_DATA',
      kind: 'fatal',
      hint: `If that is what you want, run: ${commandLine('migrate down --yes')}`,
    })
  }
  const changed = direction === 'up' ? await migrateUp(db) : direction === 'down' ? await migrateDown(db) : []
  const migrations = await migrationStatus(db)
  const unfilled = await unfilledColumns(db, migrations)
  output.data({ changed, migrations, unfilled })
  for (const name of changed) output.line(`${direction}: ${name}`)
  output.line(
    table(
      ['migration', 'executed (UTC)'],
      migrations.map(({ name, executedAt, known }) => [
        name,
        `${executedAt?.toISOString() ?? 'pending'}${known ? '' : ' (unknown to this version)'}`,
      ]),
    ),
  )
  if (unfilled.length > 0) {
    output.line(
      `${formatCount(unfilled.length, 'column')} still to be filled from _extra (run: ${commandLine('migrate up')}):`,
    )
    for (const column of unfilled) output.line(`    ${column}`)
  }
}
