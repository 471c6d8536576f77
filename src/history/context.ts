/** What the jobs of the history have in common. */
import type { GenesysClient } from '../genesys/client.ts'
import type { DetailsFilter } from '../genesys/details-query.ts'
import type { OnLoaded } from '../loader/load.ts'
import type { Interval } from '../model/interval.ts'
import type { ReadLimits } from './read-window.ts'
import type { Logger } from '../log.ts'
import type { Progress } from '../progress.ts'
import type { Warehouse } from '../postgres/connect.ts'
import type { WindowKey } from './ledger.ts'

export interface HistoryDependencies {
  /** Every entry point bounds the requests in flight through it by `history.concurrency`. */
  readonly genesys: GenesysClient
  readonly warehouse: Warehouse
  readonly logger: Logger
  readonly progress: Progress
  readonly history: HistorySettings
  readonly onLoaded?: OnLoaded | undefined
  /** Called when a run has ended, after its lock is released; it must not throw. */
  readonly afterRun?: (signal: AbortSignal) => Promise<void>
  /** Counts a window that had conversations and now has none. */
  readonly onEmptied?: () => void
}

export type HistoryRequest =
  | { readonly job: 'sync' | 'intraday' }
  | { readonly job: 'backfill'; readonly range: Interval; readonly reload: boolean }

export interface HistorySettings {
  readonly lookbackDays: number
  readonly start: Date | null
  readonly filter: DetailsFilter
  /** Requests in flight. */
  readonly concurrency: number
  readonly requestsPerMinute: number
  /** From how many conversations on a window is split. Default: what the API documents. */
  readonly limits?: ReadLimits
}

/** The ledger's key of what these settings read. */
export function windowKey(history: Pick<HistorySettings, 'filter'>): WindowKey {
  return { stream: 'conversations', source: 'query', filter: history.filter }
}
