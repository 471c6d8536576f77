/** The wall clock jumps, as it does when a machine was suspended or its clock is set; timers do not notice. */
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { createLogger } from '../src/log.ts'
import { startScheduler, type ScheduledJob, type Scheduler } from '../src/schedule.ts'

const MINUTE = 60_000
const HOUR = 60 * MINUTE

describe('when the clock jumps', () => {
  let stopping: AbortController
  let scheduler: Scheduler | undefined
  let log: string[]

  beforeEach(() => {
    vi.useFakeTimers({ now: new Date('2026-11-22T02:00:30.000Z') })
    stopping = new AbortController()
    log = []
  })
  afterEach(async () => {
    stopping.abort()
    await scheduler?.stop()
    vi.useRealTimers()
  })

  /** Starts the schedule of a job; gives the instants of its runs. */
  async function startJob(cron: string, timezone = 'UTC'): Promise<string[]> {
    const starts: string[] = []
    const job: ScheduledJob = {
      name: 'job',
      cron,
      async run() {
        starts.push(new Date().toISOString().slice(8, 19))
      },
    }
    const stream = { write: (line: string) => log.push(line) } as unknown as NodeJS.WritableStream
    const logger = createLogger('warn', stream)
    scheduler = await startScheduler([job], { timezone, logger, signal: stopping.signal })
    return starts
  }
  const pass = (milliseconds: number) => vi.advanceTimersByTimeAsync(milliseconds)
  const jump = (milliseconds: number) => vi.setSystemTime(Date.now() + milliseconds)

  test('after the clock was set back, ticks go on by the new time', async () => {
    const starts = await startJob('* * * * *')
    await pass(2 * MINUTE)
    expect(starts).toEqual(['22T02:01:00', '22T02:02:00'])
    jump(-HOUR)
    await pass(3 * MINUTE)
    expect(starts.slice(2)).toEqual(['22T01:03:00', '22T01:04:00', '22T01:05:00'])
    expect(log.join()).toContain('"jumpedMs":-3600000')
  })

  test('after the clock jumped ahead over a tick, the tick is caught up once', async () => {
    const starts = await startJob('15 2 * * *')
    await pass(MINUTE)
    jump(HOUR)
    await pass(MINUTE)
    expect(starts).toHaveLength(1)
    expect(starts[0]).toMatch(/^22T03:01/)
    await pass(22 * HOUR)
    expect(starts).toHaveLength(1)
    await pass(2 * HOUR)
    expect(starts.slice(1)).toEqual(['23T02:15:00'])
  })

  test('after the clock jumped ahead over many ticks, one run catches up and few lines are logged', async () => {
    const starts = await startJob('* * * * *')
    jump(5 * HOUR)
    await pass(90_000)
    expect(starts.length).toBeLessThanOrEqual(3)
    expect(log.length).toBeLessThan(5)
  })

  test('after the clock jumped ahead without passing a tick, nothing runs before its time', async () => {
    const starts = await startJob('15 4 * * *')
    jump(HOUR)
    await pass(HOUR)
    expect(starts).toEqual([])
    await pass(HOUR)
    expect(starts).toEqual(['22T04:15:00'])
  })

  test('after the process was suspended over a tick, the tick is caught up', async () => {
    const starts = await startJob('15 2 * * *')
    // as a blocked or stopped process sees it: all timers late, both clocks ahead
    await pass(14 * MINUTE)
    vi.setSystemTime(Date.now() + 40_000)
    await pass(MINUTE)
    expect(starts).toHaveLength(1)
  })

  test('an hourly job runs in each of the 25 hours in which the clocks of its zone go back', async () => {
    vi.setSystemTime(new Date('2026-10-24T22:30:00.000Z'))
    const starts = await startJob('20 * * * *', 'Europe/Berlin')
    await pass(4 * HOUR)
    expect(starts).toEqual(['24T23:20:00', '25T00:20:00', '25T01:20:00', '25T02:20:00'])
  })

  test('a nightly job runs in the night in which its hour is skipped', async () => {
    vi.setSystemTime(new Date('2026-03-28T20:00:00.000Z'))
    const starts = await startJob('15 2 * * *', 'Europe/Berlin')
    await pass(30 * HOUR)
    expect(starts).toEqual(['29T01:00:00', '30T00:15:00'])
  })

  test('small corrections of the clock, as by NTP, are not logged and lose no tick', async () => {
    const starts = await startJob('* * * * *')
    for (let minute = 0; minute < 10; minute++) {
      jump(minute % 2 === 0 ? 300 : -300)
      await pass(MINUTE)
    }
    expect(starts.length).toBeGreaterThanOrEqual(9)
    expect(log).toEqual([])
  })
})
