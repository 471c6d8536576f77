/** Options that can be changed while it runs. */
export interface ControlSettings {
  paginationLimit: number
  closingDelayMs: number
  /** From this instant (milliseconds since 1970) on nothing happens any more, though the clock goes on: no conversation begins, continues or is changed. */
  nothingHappensAfter: number
  /** The largest page of a list of reference data; larger ones are clamped to it. Absent: as the API has it. */
  maxPageSize: number
  aggregateIntervalDays: number
  aggregateCellLimit: number
  /** The organization's switches of what counts in the denominator of the service level, retroactively. */
  serviceLevelIncludesAbandons: boolean
  serviceLevelIncludesShortAbandons: boolean
  serviceLevelIncludesFlowOuts: boolean
  dataLagMs: number
  /** For how long a details job is queued, in real milliseconds; 20 at first. */
  jobQueuedMs: number
  /** For how long it is then run; 60 at first. */
  jobPendingMs: number
  /** How many jobs can be under way at once; 10 at first. */
  jobsAtOnce: number
  /** How a job beyond that is refused; 429 at first. */
  jobLimitStatus: 429 | 400
  /** The largest page of results, to which larger ones are clamped; 10 000 at first, since the limit of Genesys is not known. */
  jobPageSize: number
}
