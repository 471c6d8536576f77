import { openApp } from '../app.ts'
import type { CommandContext } from '../cli.ts'
import { ConfigError } from '../errors.ts'
import { migrateDown, migrateUp, migrationStatus } from '../warehouse/migrate.ts'
import { table } from './print.ts'

/** `migrate [up|down|status]`. */
export async function migrate(
  { direction }: { readonly direction: string },
  { env, output }: CommandContext,
): Promise<void> {
  if (!['up', 'down', 'status'].includes(direction)) {
    throw new ConfigError(`migrate ${direction}: is not a direction`, 'Use migrate up, migrate down or migrate status.')
  }
  await using app = await openApp(env, { database: true })
  const { db } = app.warehouse
  const changed = direction === 'up' ? await migrateUp(db) : direction === 'down' ? await migrateDown(db) : []
  const migrations = await migrationStatus(db)
  output.data({ changed, migrations })
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
}
