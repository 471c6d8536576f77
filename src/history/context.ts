/** What the jobs of the history work with. */
import type { GenesysClient } from '../genesys/client.ts'
import type { DetailsFilter } from '../genesys/details-query.ts'
import type { LoadCounts } from '../loader/load-counts.ts'
import type { ReadWindowOptions } from './read-window.ts'
import type { Logger } from '../log.ts'
import type { Progress } from '../progress.ts'
import type { Warehouse } from '../postgres/connect.ts'
import type { WindowKey } from './ledger.ts'

export interface HistoryDependencies {
  readonly genesys: GenesysClient
  readonly warehouse: Warehouse
  readonly logger: Logger
  readonly progress: Progress
  readonly history: HistorySettings
  /** Called with what became of each batch: for metrics. */
  readonly onLoaded?: ((counts: LoadCounts) => void) | undefined
  /** Counts a window that had conversations and has none any more. */
  readonly onEmptied?: () => void
}

export interface HistorySettings {
  readonly lookbackDays: number
  readonly start: Date | null
  readonly filter: DetailsFilter
  /** Requests in flight. */
  readonly concurrency: number
  readonly requestsPerMinute: number
  /** For tests: from how many conversations on a window is split. */
  readonly limits?: ReadWindowOptions['limits']
}

/** The ledger's key of what these settings read. */
export function windowKey(history: Pick<HistorySettings, 'filter'>): WindowKey {
  return { stream: 'conversations', source: 'query', filter: history.filter }
}
