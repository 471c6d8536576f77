/** What the pages show: the state of the database, and what only the running process knows. */
import { type NameOf } from '../live/names.ts'
import { type Wallboard } from '../live/wallboard.ts'
import { type ProcessState } from '../metrics.ts'
import { type LiveStatus } from '../monitoring/live-status.ts'
import { type StatusDocument } from '../monitoring/status.ts'

export interface ServiceStatus {
  readonly at: Date
  /** null: the database could not be read. */
  readonly document: StatusDocument | null
  /** Why there is no document. */
  readonly reason: string | null
  readonly process: ProcessState
  readonly isLiveOn: boolean
}

/** The wallboard, the names of its ids, and the age of its data. */
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

/** What was read for a page. */
export interface Reading<Content> {
  /** null: it could not be read. */
  readonly content: Content | null
  /** Why there is no content. */
  readonly reason: string | null
}
