import type { Changes } from './changes.ts'
import type { ClockSetting, OrgClock } from './clock.ts'
import type { Json } from './conversation-plan.ts'
import type { ControlSettings } from './control-settings.ts'
import type { DetailsJobs } from './details-jobs.ts'
import type { createFaults, FaultRule } from './faults.ts'
import type { GdprRequests } from './gdpr-requests.ts'
import type { LateChangeShares } from './late-changes.ts'
import type { MalformedKind } from './malformed-records.ts'
import type { OAuthClient } from './oauth.ts'
import type { Org } from './org.ts'
import type { RateLimitOptions } from './rate-limit.ts'
import type { ReferenceStore } from './reference-store.ts'
import type { IntervalReading, PagingNoise } from './selection.ts'

/** Options of the simulated organization; all are optional. */
export interface SimulatorOptions {
  /** Port on `host`; 0 (default) takes a free one. */
  readonly port?: number
  readonly host?: string
  /** The same seed gives the same organization and the same conversations, byte for byte. */
  readonly seed?: number | string
  /** UTC days of history before today. */
  readonly days?: number
  /** Mean number of conversations on a working day. */
  readonly perDay?: number
  /** Hours that the organization's local time is ahead of UTC, -12 to 14: when its business hours are. Default: 0. */
  readonly utcOffsetHours?: number
  /** Exactly perDay on every day, without weekends and randomness. */
  readonly exactPerDay?: boolean
  /** Contacts wait longer in busy hours, and long in one queue that has too few agents; by default equally long at all times. */
  readonly busyHours?: boolean
  /** The organization's time: an instant, which stands still, a function, or undefined for the machine's own. */
  readonly now?: ClockSetting
  /** Seconds of the organization per real second; by default 0 for an instant, otherwise 1. */
  readonly clockSpeed?: number
  readonly intervalReading?: IntervalReading
  /** How long every answer is delayed. */
  readonly latencyMs?: number
  readonly rateLimit?: RateLimitOptions
  readonly faults?: readonly FaultRule[]
  /** Share of malformed records, 0 to 1; with the default of 0.03 every 1000 records contain each kind at least once. */
  readonly malformedShare?: number
  /** How many results paging can reach; 100 000 at Genesys. The API refuses deeper pages and names the limit. */
  readonly paginationLimit?: number
  /** Share of message and e-mail threads that are reopened, mostly more than once, over days and weeks; 0.1 unless given. */
  readonly reopenedShare?: number
  /** How long after their time the wrap-up code, tAcw and tHandle appear: 0 (default) to less than a day. */
  readonly closingDelayMs?: number
  /** What Genesys changes in conversations days and weeks after their end; nothing unless given. See REALISTIC_LATE_CHANGES. */
  readonly lateChanges?: LateChangeShares
  /** The longest interval of an aggregates query; 366 unless given, since no limit of Genesys is known. */
  readonly aggregateIntervalDays?: number
  /** How many values one answer of aggregates can have; 100 000 unless given, since no limit of Genesys is known. */
  readonly aggregateCellLimit?: number
  /** How far the data lake, which details jobs read, is behind the organization's clock; six hours unless given. */
  readonly dataLagMs?: number
  /** Lifetime of the first client's tokens. */
  readonly tokenSeconds?: number
  readonly gzip?: boolean
  /** Writes the pages of whole days at the start and keeps every page that is served, so that a request costs next to nothing. */
  readonly precompute?: boolean
}

/** One line of the request log. */
export interface LoggedRequest {
  /** Milliseconds since the simulator started. */
  readonly at: number
  readonly method: string
  readonly path: string
  /** `details`, `token`, or the path. */
  readonly endpoint: string
  status?: number
  fault?: string
  clientId?: string
  interval?: string
  pageNumber?: number
  pageSize?: number
  totalHits?: number
  jobId?: string
  doneAt?: number
}

/** Everything that can be changed while it runs. */
export interface SimulatorControl {
  readonly clock: OrgClock
  readonly faults: ReturnType<typeof createFaults>
  readonly changes: Changes
  /** The details jobs, and what becomes of the next ones. */
  readonly jobs: Pick<DetailsJobs, 'plan' | 'list' | 'availableUntil'>
  /** Requests about a person's data. */
  readonly gdprRequests: GdprRequests
  /** The lists of users, queues, wrap-up codes and so on. */
  readonly reference: ReferenceStore
  readonly clients: Map<string, OAuthClient>
  /** Adds an OAuth client with all permissions and divisions; change its fields to restrict it. */
  addClient(fields?: Partial<OAuthClient>): OAuthClient
  /** A token of a person, for endpoints that refuse client credentials. */
  userToken(userId: string): string
  revokeTokens(): void
  set(settings: Partial<PagingNoise & ControlSettings> & { latencyMs?: number; dateSkewMs?: number }): void
}

export interface Simulator extends AsyncDisposable {
  readonly url: string
  readonly port: number
  readonly clientId: string
  readonly clientSecret: string
  readonly org: Org
  readonly control: SimulatorControl
  /** The request log, oldest first. */
  readonly requests: readonly LoggedRequest[]
  /** Requests refused by the rate limit. */
  violations(): number
  /** Every conversation exactly as a complete details query returns it now, in order of start, including records without a usable id or start. */
  truth(day?: string): Json[]
  /** The same as JSON strings. */
  truthText(day?: string): string[]
  /** The attributes of each participant of a conversation, by participantId, as jobs deliver them now. */
  attributesOf(conversationId: string): Readonly<Record<string, Readonly<Record<string, string>>>>
  /** The malformed records among them: the true id, what is wrong, and whether id and start are usable. */
  malformed(day?: string): { readonly id: string; readonly kind: MalformedKind; readonly keyable: boolean }[]
  close(): Promise<void>
}
