import { sql, type Kysely } from 'kysely'
import { type Warehouse } from './connect.ts'
import { type Database } from './database.ts'
import { retryTransient } from './errors.ts'

/** The clock of the database, as seen from this process, whatever its own wall clock says. */
export interface DatabaseClock {
  now(): Date
  /** The instant of a performance.now() of this process, as ISO text with microseconds. */
  instantOf(performanceNow: number): string
}

const SAMPLES = 3
const REREAD_AFTER_MS = 600_000

/**
 * Reads the database's clock and relates it to performance.now(), so that instants of this process can be expressed in the
 * database's time, with an error of at most half the fastest of three round trips.
 */
export async function readDatabaseClock(db: Kysely<Database>): Promise<DatabaseClock> {
  let best = { roundTrip: Number.POSITIVE_INFINITY, offset: 0 }
  for (let sample = 0; sample < SAMPLES; sample++) {
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

/** The clock of a warehouse's database, read again every ten minutes: for uses that need not be exact. */
export async function databaseClockOf(warehouse: Warehouse): Promise<DatabaseClock> {
  const known = clocks.get(warehouse)
  if (known && performance.now() - known.readAt < REREAD_AFTER_MS) return known.clock
  const clock = retryTransient(() => readDatabaseClock(warehouse.db))
  clocks.set(warehouse, { readAt: performance.now(), clock })
  clock.catch(() => clocks.delete(warehouse))
  return clock
}

/**
 * How many milliseconds further than `clock` the database's clock has advanced since that was read; negative: it was set back. More
 * than the error of a round trip means that the clock was set, or that this machine was suspended.
 */
export async function clockJump(db: Kysely<Database>, clock: DatabaseClock): Promise<number> {
  return +(await readDatabaseClock(db)).now() - +clock.now()
}

function formatMicroseconds(milliseconds: number): string {
  const whole = Math.floor(milliseconds)
  const micros = Math.min(999, Math.floor((milliseconds - whole) * 1000))
  return `${new Date(whole).toISOString().slice(0, -1)}${String(micros).padStart(3, '0')}Z`
}
