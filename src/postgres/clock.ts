import { sql, type Kysely } from 'kysely'
import type { Warehouse } from './connect.ts'
import type { Database } from './database.ts'
import { retryTransient } from './errors.ts'

/** The clock of the database, as seen from this process, whatever its own wall clock says. */
export interface DatabaseClock {
  now(): Date
  /** The instant of a performance.now() of this process, as ISO text with microseconds. */
  instantOf(performanceNow: number): string
}

const samples = 3

/**
 * Reads the database's clock and ties it to performance.now(), so that instants of this process can be told in the
 * database's time; off by half the fastest of three round trips at most.
 */
export async function readDatabaseClock(db: Kysely<Database>): Promise<DatabaseClock> {
  let best = { roundTrip: Number.POSITIVE_INFINITY, offset: 0 }
  for (let sample = 0; sample < samples; sample++) {
    const sent = performance.now()
    const { rows } = await sql<{ milliseconds: number }>`
      select (extract(epoch from clock_timestamp()) * 1000)::double precision as milliseconds`.execute(db)
    const received = performance.now()
    const roundTrip = received - sent
    if (roundTrip < best.roundTrip) {
      best = { roundTrip, offset: (rows[0]?.milliseconds ?? 0) - (sent + received) / 2 }
    }
  }
  const { offset } = best
  return {
    now: () => new Date(performance.now() + offset),
    instantOf: (performanceNow) => formatMicroseconds(performanceNow + offset),
  }
}

const clocks = new WeakMap<Warehouse, { readAt: number; clock: Promise<DatabaseClock> }>()

/** The clock of a warehouse's database, read again every ten minutes: for what need not be exact. */
export async function databaseClockOf(warehouse: Warehouse): Promise<DatabaseClock> {
  const known = clocks.get(warehouse)
  if (known && performance.now() - known.readAt < 600_000) return known.clock
  const clock = retryTransient(() => readDatabaseClock(warehouse.db))
  clocks.set(warehouse, { readAt: performance.now(), clock })
  clock.catch(() => clocks.delete(warehouse))
  return clock
}

/**
 * By how many milliseconds the database's clock has gone on further than `clock` has since it was read; negative: it was set
 * back. Beyond the error of a round trip somebody has set it, or this machine has slept.
 */
export async function clockJump(db: Kysely<Database>, clock: DatabaseClock): Promise<number> {
  return +(await readDatabaseClock(db)).now() - +clock.now()
}

function formatMicroseconds(milliseconds: number): string {
  const whole = Math.floor(milliseconds)
  const micros = Math.min(999, Math.floor((milliseconds - whole) * 1000))
  return `${new Date(whole).toISOString().slice(0, -1)}${String(micros).padStart(3, '0')}Z`
}
