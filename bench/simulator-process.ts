/** Child process: a simulator whose clock is stopped, so that a second read returns the same bytes. */
import { startSimulator } from '../src/simulator/server.ts'
import type { RateLimitOptions } from '../src/simulator/rate-limit.ts'

export interface SimulatorJob {
  readonly seed: string
  /** The organization's time as an ISO string. */
  readonly now: string
  /** UTC days before that. */
  readonly days: number
  /** Conversations that start on each of them. */
  readonly perDay: number
  readonly malformedShare: number
  /** Writes everything before it listens, and keeps every page that it has sent. */
  readonly precompute: boolean
  readonly latencyMs: number
  /** No limit by default. */
  readonly rateLimit?: RateLimitOptions
}

export interface SimulatorAddress {
  readonly url: string
  readonly clientId: string
  readonly clientSecret: string
}

const { rateLimit, ...job } = JSON.parse(process.argv[2] ?? '{}') as SimulatorJob
const simulator = await startSimulator({
  ...job,
  exactPerDay: true,
  rateLimit: rateLimit ?? { requestsPerMinute: Infinity },
  // details jobs deliver what queries do, at once
  dataLagMs: 0,
})
simulator.control.set({ jobQueuedMs: 0, jobPendingMs: 0 })
const { url, clientId, clientSecret } = simulator
process.send?.({ url, clientId, clientSecret } satisfies SimulatorAddress)
// ends together with the bench, however that ends
process.once('disconnect', () => process.exit())
