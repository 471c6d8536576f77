/** Child process: one backfill with the parts of the service, in a process that does nothing else. */
// first, as in the service
import '../src/heap.ts'
import { readFileSync } from 'node:fs'
import { createGenesysClient } from '../src/genesys/client.ts'
import { createRateLimiter, type LimiterClock } from '../src/genesys/rate-limiter.ts'
import { runHistory } from '../src/history/sync.ts'
import { createLogger } from '../src/log.ts'
import { silentProgress } from '../src/progress.ts'
import { connect } from '../src/postgres/connect.ts'
import type { LoadCounts } from '../src/loader/load-counts.ts'
import type { SimulatorAddress } from './simulator-process.ts'

export interface LoadJob {
  readonly databaseUrl: string
  readonly org: SimulatorAddress
  /** The range as ISO strings. */
  readonly from: string
  readonly to: string
  readonly concurrency: number
  readonly source: 'query' | 'jobs'
  /** Our own limit; null for none. */
  readonly limit: { readonly requests: number; readonly windowMs: number } | null
}

export interface LoadResult {
  /** Duration of the job, without starting node and loading the code. */
  readonly seconds: number
  /** CPU time of this process during the job. */
  readonly cpuSeconds: number
  /** Peak resident memory of the process, in MB (10^6 bytes). */
  readonly peakMb: number
  /** Peak resident memory before the job began. */
  readonly startMb: number
  readonly requests: number
  readonly windows: { readonly planned: number; readonly done: number }
  readonly counts: LoadCounts
}

const job = JSON.parse(process.argv[2] ?? '{}') as LoadJob
const { databaseUrl, org, concurrency, limit } = job
process.send?.(await load())
process.disconnect?.()

async function load(): Promise<LoadResult> {
  const logger = createLogger('warn')
  const limiter = createRateLimiter({
    requestsPerMinute: limit?.requests ?? Infinity,
    ...(limit && { clock: fastClock(60_000 / limit.windowMs) }),
  })
  const client = createGenesysClient({
    apiUrl: org.url,
    loginUrl: org.url,
    credentials: { clientId: org.clientId, clientSecret: org.clientSecret },
    limiter,
    logger,
    proxyEnv: {},
  })
  await using warehouse = connect(databaseUrl)
  const startMb = residentPeakMb()
  const started = performance.now()
  const cpu = process.cpuUsage()
  const summary = await runHistory(
    {
      genesys: client,
      warehouse,
      logger,
      progress: silentProgress,
      history: {
        lookbackDays: 7,
        deepLookbackDays: 30,
        settleDays: 4,
        start: null,
        filter: {},
        concurrency,
        requestsPerMinute: limit?.requests ?? Infinity,
        jobs: { attributes: 'auto' },
      },
    },
    {
      job: 'backfill',
      range: { start: new Date(job.from), end: new Date(job.to) },
      reload: true,
      source: job.source,
    },
    'manual',
    new AbortController().signal,
  )
  const seconds = (performance.now() - started) / 1000
  const { user, system } = process.cpuUsage(cpu)
  client.close()
  const { windows, requests, counts } = summary
  return { seconds, cpuSeconds: (user + system) / 1e6, peakMb: residentPeakMb(), startMb, requests, windows, counts }
}

/** A clock that is so many times as fast, so that a window of the request limit takes less than a minute. */
function fastClock(speed: number): LimiterClock {
  return {
    now: () => performance.now() * speed,
    after(ms, callback) {
      const timer = setTimeout(callback, ms / speed)
      return () => clearTimeout(timer)
    },
  }
}

/** The kernel's own high-water mark. The one of getrusage would do elsewhere, but under Linux it includes the parent at the fork. */
function residentPeakMb(): number {
  if (process.platform !== 'linux') return (process.resourceUsage().maxRSS * 1024) / 1e6
  const [, kilobytes = '0'] = /VmHWM:\s+(\d+) kB/.exec(readFileSync('/proc/self/status', 'utf8')) ?? []
  return (Number(kilobytes) * 1024) / 1e6
}
