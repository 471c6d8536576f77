/** How the derivation gives way to loads. */
import { setImmediate as turn, setTimeout as sleep } from 'node:timers/promises'
import { isAnyJobRunning } from '../postgres/lock.ts'
import type { Warehouse } from '../postgres/connect.ts'

/** The jobs of the history, by which requests to Genesys and loads are made at full speed. */
const HISTORY_JOBS = ['sync', 'deep', 'intraday', 'backfill']
/**
 * While one of them runs, in whichever process, each transaction is followed by a pause of so many times its duration: a fifth of one
 * connection's time is left to the derivation. It is not stopped, since a long backfill would keep the views empty for days.
 */
const PAUSE_FACTOR = 4
const LONGEST_PAUSE_MS = 10_000

/**
 * Waits after a transaction of the derivation, for as long as loads deserve.
 * @throws the signal's reason
 */
export async function giveWay(warehouse: Warehouse, transactionMs: number, signal: AbortSignal): Promise<void> {
  // the pages and the live job of this process have their turn in any case
  await turn()
  signal.throwIfAborted()
  if (!(await isAnyJobRunning(warehouse.db, HISTORY_JOBS))) return
  await sleep(Math.min(PAUSE_FACTOR * transactionMs, LONGEST_PAUSE_MS), undefined, { signal }).catch(() => {})
  signal.throwIfAborted()
}
