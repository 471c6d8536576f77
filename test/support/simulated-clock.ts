/**
 * A database of its own whose clock a test can set, as it reads for everybody who is connected: the schema `simulated_clock`, which
 * comes first in the search path, has functions in place of those of Postgres. It is migrated with them, so that the defaults of columns
 * use them, too. The product knows nothing of it.
 */
import { sql } from 'kysely'
import { connect } from '../../src/postgres/connect.ts'
import { migrateUp } from '../../src/postgres/migrate.ts'
import { createTestDatabase } from './database.ts'

export interface SimulatedDatabase extends AsyncDisposable {
  readonly url: string
  /** Sets the clock of all connections that are made from now on; it goes on from there at the usual speed. */
  setClock(instant: number): Promise<void>
}

/** By how much the clock is ahead of the machine's. */
const OFFSET = `current_setting('simulated_clock.ahead_by')::interval`

/** now() is the same throughout a transaction, and the other one is not: what the planner may do with them is as with the original ones. */
const FUNCTIONS = `
  create schema simulated_clock;
  create function simulated_clock.now() returns timestamptz language sql stable parallel safe
    as $$ select pg_catalog.now() + ${OFFSET} $$;
  create function simulated_clock.clock_timestamp() returns timestamptz language sql volatile parallel safe
    as $$ select pg_catalog.clock_timestamp() + ${OFFSET} $$;
  create function simulated_clock.statement_timestamp() returns timestamptz language sql stable parallel safe
    as $$ select pg_catalog.statement_timestamp() + ${OFFSET} $$`

/** Makes the database, with its clock at an instant. */
export async function createSimulatedDatabase(instant: number): Promise<SimulatedDatabase> {
  await using stack = new AsyncDisposableStack()
  const database = stack.use(await createTestDatabase({ empty: true }))
  const inDatabase = async (statement: string): Promise<void> => {
    await using warehouse = connect(database.url, { max: 1 })
    await sql.raw(statement).execute(warehouse.db)
  }
  // not by Date, which the test may have set, too
  const machine = (): number => performance.timeOrigin + performance.now()
  const setClock = (at: number): Promise<void> =>
    inDatabase(
      `alter database ${database.name} set simulated_clock.ahead_by = '${Math.round(at - machine())} milliseconds'`,
    )
  await setClock(instant)
  await inDatabase(FUNCTIONS)
  await inDatabase(`alter database ${database.name} set search_path = simulated_clock, pg_catalog, public`)
  await using warehouse = connect(database.url)
  await migrateUp(warehouse.db)
  const resources = stack.move()
  return { url: database.url, setClock, [Symbol.asyncDispose]: () => resources.disposeAsync() }
}
