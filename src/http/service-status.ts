/** What the pages show: the books, and what only the running process knows. */
import type { LiveStatus } from '../monitoring/live-status.ts'
import type { StatusDocument } from '../monitoring/status.ts'
import type { ProcessState } from '../metrics.ts'
import type { Wallboard } from '../live/wallboard.ts'
import type { NameOf } from '../live/names.ts'

/** null instead of the document: the books could not be read, for this reason. */
export interface ServiceStatus {
  readonly at: Date
  readonly document: StatusDocument | null
  readonly reason: string | null
  readonly process: ProcessState
  readonly isLiveOn: boolean
}

/** The wallboard with what it needs to show names and its own age. */
export interface LiveView {
  readonly at: Date
  readonly board: Wallboard | null
  /** Why there is no board. */
  readonly reason: string | null
  readonly live: LiveStatus | null
  readonly staleSeconds: number
  readonly isLiveOn: boolean
  readonly nameOf: NameOf
}
