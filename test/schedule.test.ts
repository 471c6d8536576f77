import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { EtlError, Interrupted } from '../src/errors.ts'
import { createLogger } from '../src/log.ts'
import { startScheduler, type ScheduledJob, type Scheduler } from '../src/schedule.ts'

const MINUTE = 60_000
const HOUR = 60 * MINUTE
const NIGHTLY = '15 2 * * *'

const unavailable = (retryAt?: Date) =>
  new EtlError('Genesys does not answer', { code: 'GENESYS_UNAVAILABLE', kind: 'retryable', retryAt })
const forbidden = () =>
  new EtlError('a permission is missing', { code: 'GENESYS_FORBIDDEN', kind: 'fatal', hint: 'Grant it.' })

/** A job whose runs end as scripted, the last entry for all further ones; notes when it started. */
function scriptedJob(outcomes: (() => unknown)[], options: Partial<ScheduledJob> = {}) {
  const starts: string[] = []
  const job: ScheduledJob = {
    name: 'sync',
    cron: NIGHTLY,
    async run() {
      const outcome = outcomes[Math.min(starts.length, outcomes.length - 1)]
      starts.push(new Date().toISOString().slice(11, 19))
      const error = outcome?.()
      if (error) throw error as Error
    },
    ...options,
  }
  return { job, starts }
}

describe('the schedule', () => {
  let stopping: AbortController
  let scheduler: Scheduler | undefined

  beforeEach(() => {
    vi.useFakeTimers({ now: new Date('2026-11-22T02:00:00.000Z') })
    stopping = new AbortController()
  })
  afterEach(async () => {
    stopping.abort()
    await scheduler?.stop()
    vi.useRealTimers()
  })

  const start = async (...jobs: ScheduledJob[]): Promise<Scheduler> =>
    (scheduler = await startScheduler(jobs, {
      timezone: 'UTC',
      logger: createLogger('silent'),
      signal: stopping.signal,
    }))
  const startLogged = async (...jobs: ScheduledJob[]): Promise<Record<string, unknown>[]> => {
    const lines: Record<string, unknown>[] = []
    const stream = { write: (line: string) => lines.push(JSON.parse(line)) } as unknown as NodeJS.WritableStream
    const logger = createLogger('info', stream)
    scheduler = await startScheduler(jobs, { timezone: 'UTC', logger, signal: stopping.signal })
    return lines
  }
  const pass = (milliseconds: number) => vi.advanceTimersByTimeAsync(milliseconds)

  test('a run that failed for a passing reason is retried after 5 minutes, then after twice as long each time', async () => {
    const { job, starts } = scriptedJob([unavailable, unavailable, unavailable, unavailable, unavailable, () => null])
    await start(job)
    await pass(8 * HOUR)
    expect(starts).toEqual(['02:15:00', '02:20:00', '02:30:00', '02:50:00', '03:30:00', '04:30:00'])
    expect(scheduler?.states()[0]).toMatchObject({ failure: null, retryAt: null })
  })

  test('retries are an hour apart at most and go on until the next tick', async () => {
    const { job, starts } = scriptedJob([unavailable])
    await start(job)
    await pass(23 * HOUR)
    expect(starts.slice(-3)).toEqual(['22:30:00', '23:30:00', '00:30:00'])
    await pass(95 * MINUTE)
    expect(starts.slice(-4)).toEqual(['01:30:00', '02:15:00', '02:20:00', '02:30:00'])
  })

  test('the retry waits until the time that the API named', async () => {
    const { job, starts } = scriptedJob([() => unavailable(new Date('2026-11-22T02:47:30.000Z')), () => null])
    await start(job)
    await pass(20 * MINUTE)
    expect(scheduler?.states()[0]?.nextRun).toEqual(new Date('2026-11-22T02:47:30.000Z'))
    expect(scheduler?.states()[0]).toMatchObject({
      retryAt: new Date('2026-11-22T02:47:30.000Z'),
      failure: { code: 'GENESYS_UNAVAILABLE', kind: 'retryable' },
    })
    await pass(HOUR)
    expect(starts).toEqual(['02:15:00', '02:47:30'])
    expect(scheduler?.states()[0]?.nextRun).toEqual(new Date('2026-11-23T02:15:00.000Z'))
  })

  test('a failed run is not retried where the next tick comes before the retry', async () => {
    const { job, starts } = scriptedJob([unavailable], { cron: '* * * * *' })
    await start(job)
    await pass(3 * MINUTE)
    expect(starts).toEqual(['02:01:00', '02:02:00', '02:03:00'])
    expect(scheduler?.states()[0]?.retryAt).toBeNull()
  })

  test('a failure that needs a human is not retried, and the state says what to do', async () => {
    const { job, starts } = scriptedJob([forbidden])
    await start(job)
    await pass(20 * HOUR)
    expect(starts).toEqual(['02:15:00'])
    expect(scheduler?.states()[0]).toMatchObject({
      failure: {
        code: 'GENESYS_FORBIDDEN',
        kind: 'fatal',
        hint: 'Grant it.',
        at: new Date('2026-11-22T02:15:00.000Z'),
      },
      nextRun: new Date('2026-11-23T02:15:00.000Z'),
    })
  })

  test('a job that another process is running does not count as failed', async () => {
    const elsewhere = () => new EtlError('is already running', { code: 'JOB_ALREADY_RUNNING', kind: 'retryable' })
    const { job, starts } = scriptedJob([elsewhere])
    await start(job)
    await pass(20 * HOUR)
    expect(starts).toEqual(['02:15:00'])
    expect(scheduler?.states()[0]?.failure).toBeNull()
  })

  test('a job that another process is running is retried, until a run there is done', async () => {
    const elsewhere = () => new EtlError('is already running', { code: 'JOB_ALREADY_RUNNING', kind: 'retryable' })
    let lastDone = new Date('2026-11-21T02:15:00.050Z')
    const { job, starts } = scriptedJob([elsewhere], { lastStartedAt: async () => lastDone })
    const lines = await startLogged(job)
    await pass(HOUR)
    expect(starts).toEqual(['02:15:00', '02:20:00', '02:30:00', '02:50:00'])
    expect(lines).toContainEqual(expect.objectContaining({ level: 'info', job: 'sync', retryAt: expect.any(String) }))
    lastDone = new Date('2026-11-22T02:15:01.000Z')
    await pass(20 * HOUR)
    expect(starts).toHaveLength(4)
    expect(scheduler?.states()[0]).toMatchObject({ failure: null, retryAt: null })
  })

  test('a run that failed before its row exists is logged and retried before the next tick', async () => {
    const refused = () =>
      new EtlError('password authentication failed', { code: 'DATABASE_LOGIN', kind: 'config', hint: 'Check it.' })
    const { job, starts } = scriptedJob([refused, () => null])
    const lines = await startLogged(job)
    await pass(HOUR)
    expect(starts).toEqual(['02:15:00', '02:20:00'])
    expect(lines).toContainEqual(
      expect.objectContaining({
        level: 'warn',
        job: 'sync',
        code: 'DATABASE_LOGIN',
        reason: 'password authentication failed',
        retryAt: '2026-11-22T02:20:00.000Z',
      }),
    )
  })

  test('a run without progress is stuck after the time that its job allows, and not before', async () => {
    let progress = (): void => {}
    const { promise, resolve } = Promise.withResolvers<void>()
    const run: ScheduledJob['run'] = (_signal, onProgress) => {
      progress = onProgress
      return promise
    }
    await start({ name: 'sync', cron: NIGHTLY, stuckAfterMs: 30 * MINUTE, run })
    const stuckSince = () => scheduler?.states()[0]?.stuckSince
    await pass(40 * MINUTE)
    expect(stuckSince()).toBeNull()
    progress()
    await pass(29 * MINUTE)
    expect(stuckSince()).toBeNull()
    await pass(2 * MINUTE)
    expect(stuckSince()).toEqual(new Date('2026-11-22T02:40:00.000Z'))
    progress()
    expect(stuckSince()).toBeNull()
    resolve()
    await pass(31 * MINUTE)
    expect(stuckSince()).toBeNull()
  })

  test('a job without an earlier run runs at start, and nothing is said to be missed', async () => {
    const { job, starts } = scriptedJob([() => null], { lastStartedAt: async () => null })
    const lines = await startLogged(job)
    expect(starts).toEqual(['02:00:00'])
    expect(lines).toEqual([])
  })

  test('a job runs when its last run cannot be read at start', async () => {
    const { job, starts } = scriptedJob([() => null], { lastStartedAt: () => Promise.reject(unavailable()) })
    await start(job)
    expect(starts).toEqual(['02:00:00'])
  })

  test('an unexpected error of one job harms no other job', async () => {
    const broken = scriptedJob([() => new TypeError('oops')], { name: 'broken', cron: '* * * * *' })
    const sound = scriptedJob([() => null], { name: 'sound', cron: '* * * * *' })
    await start(broken.job, sound.job)
    await pass(2 * MINUTE)
    expect(broken.starts).toHaveLength(2)
    expect(sound.starts).toHaveLength(2)
    expect(scheduler?.states().map(({ failure }) => failure?.kind ?? null)).toEqual(['bug', null])
  })

  test('a tick is skipped and counted while the job is still running', async () => {
    const { promise, resolve } = Promise.withResolvers<void>()
    let runs = 0
    await start({
      name: 'sync',
      cron: '* * * * *',
      run: () => (++runs === 1 ? promise : Promise.resolve()),
      lastStartedAt: () => Promise.resolve(null),
    })
    await pass(2 * MINUTE)
    expect(runs).toBe(1)
    expect(scheduler?.states()[0]?.overlaps).toBe(2)
    expect(scheduler?.states()[0]?.running).toBe(true)
    resolve()
    await pass(MINUTE)
    expect(runs).toBe(2)
  })

  test('after the stop signal the scheduler neither ticks nor retries', async () => {
    const { job, starts } = scriptedJob([unavailable])
    await start(job)
    await pass(16 * MINUTE)
    expect(scheduler?.states()[0]?.retryAt).not.toBeNull()
    stopping.abort(new Interrupted())
    await pass(48 * HOUR)
    expect(starts).toEqual(['02:15:00'])
    expect(scheduler?.states()[0]?.retryAt).toBeNull()
  })

  test('stopping the scheduler waits for the running job and plans no retry for it', async () => {
    const { promise, reject } = Promise.withResolvers<void>()
    await start({ name: 'sync', cron: NIGHTLY, run: () => promise, lastStartedAt: () => Promise.resolve(null) })
    let stopped = false
    const stop = scheduler!.stop().then(() => (stopped = true))
    await pass(MINUTE)
    expect(stopped).toBe(false)
    reject(unavailable())
    await stop
    expect(vi.getTimerCount()).toBe(0)
  })

  test('the state of a job says how far apart its ticks are', async () => {
    const live = scriptedJob([() => null], { name: 'live', cron: '*/30 * * * * *' })
    await start(live.job)
    expect(scheduler?.states()[0]?.intervalMs).toBe(30_000)
  })
})
