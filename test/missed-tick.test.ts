import { expect, test } from 'vitest'
import { createLogger } from '../src/log.ts'
import { hasMissedTick, parseCronLine } from '../src/cron.ts'
import { startScheduler, type ScheduledJob } from '../src/schedule.ts'

const at = (text: string): Date => new Date(text)
const missedTick = (cron: string, timezone: string, last: Date | null, now: Date): boolean =>
  hasMissedTick(parseCronLine(cron, timezone), last, now)

test.each([
  // cron, time zone, last start, now, missed
  ['15 2 * * *', 'UTC', '2026-03-10T02:15:00.050Z', '2026-03-10T23:00:00Z', false],
  ['15 2 * * *', 'UTC', '2026-03-10T02:15:00.050Z', '2026-03-11T02:14:59Z', false],
  ['15 2 * * *', 'UTC', '2026-03-10T02:15:00.050Z', '2026-03-11T02:15:00Z', true],
  ['15 2 * * *', 'UTC', '2026-03-10T02:15:00.050Z', '2026-03-13T12:00:00Z', true],
  ['15 2 * * *', 'UTC', '2026-03-10T14:00:00Z', '2026-03-11T01:00:00Z', false],
  ['20 * * * *', 'UTC', '2026-03-10T14:20:00.010Z', '2026-03-10T15:19:59Z', false],
  ['20 * * * *', 'UTC', '2026-03-10T14:20:00.010Z', '2026-03-10T15:20:30Z', true],
  // only on Mondays; 10 March 2026 is a Tuesday
  ['0 6 * * 1', 'UTC', '2026-03-09T06:00:01Z', '2026-03-15T23:59:00Z', false],
  ['0 6 * * 1', 'UTC', '2026-03-09T06:00:01Z', '2026-03-16T06:00:00Z', true],
  // a time zone: 02:15 in Sao Paulo is 05:15 UTC all year round
  ['15 2 * * *', 'America/Sao_Paulo', '2026-03-10T05:15:00.100Z', '2026-03-11T05:14:00Z', false],
  ['15 2 * * *', 'America/Sao_Paulo', '2026-03-10T05:15:00.100Z', '2026-03-11T05:15:00Z', true],
  // daylight saving begins in Berlin on 29 March 2026: 03:15 there is 02:15 UTC before and 01:15 UTC after
  ['15 3 * * *', 'Europe/Berlin', '2026-03-28T02:15:00.100Z', '2026-03-29T01:14:00Z', false],
  ['15 3 * * *', 'Europe/Berlin', '2026-03-28T02:15:00.100Z', '2026-03-29T01:15:00Z', true],
  // it ends on 25 October 2026: 02:15 comes twice
  ['15 2 * * *', 'Europe/Berlin', '2026-10-24T00:15:00.100Z', '2026-10-25T00:15:00Z', true],
  ['15 4 * * *', 'Europe/Berlin', '2026-10-25T03:15:00.100Z', '2026-10-26T03:14:00Z', false],
  // once per year
  ['0 0 1 1 *', 'UTC', '2026-03-01T00:00:00Z', '2026-03-20T00:00:00Z', false],
  ['0 0 1 1 *', 'UTC', '2025-12-31T00:00:00Z', '2026-03-20T00:00:00Z', true],
  // a field for seconds
  ['30 15 2 * * *', 'UTC', '2026-03-10T02:15:30.020Z', '2026-03-11T02:15:29Z', false],
  ['30 15 2 * * *', 'UTC', '2026-03-10T02:15:30.020Z', '2026-03-11T02:15:30Z', true],
  ['*/20 * * * * *', 'UTC', '2026-03-10T02:15:20.020Z', '2026-03-10T02:15:39Z', false],
  ['*/20 * * * * *', 'UTC', '2026-03-10T02:15:20.020Z', '2026-03-10T02:15:40Z', true],
] as const)('%s in %s, last started %s, now %s: missed %s', (cron, timezone, last, now, missed) => {
  expect(missedTick(cron, timezone, at(last), at(now))).toBe(missed)
})

test('a job that never ran is due', () => {
  expect(missedTick('15 2 * * *', 'UTC', null, at('2026-03-10T00:00:00Z'))).toBe(true)
})

test('02:15 on the night when it does not exist comes at the end of the gap', () => {
  const last = at('2026-03-28T01:15:00.100Z')
  expect(missedTick('15 2 * * *', 'Europe/Berlin', last, at('2026-03-29T00:59:59Z'))).toBe(false)
  expect(missedTick('15 2 * * *', 'Europe/Berlin', last, at('2026-03-29T01:00:00Z'))).toBe(true)
})

const logger = createLogger('silent')
function recorder(name: string, overrides: Partial<ScheduledJob> = {}) {
  const starts: AbortSignal[] = []
  const job: ScheduledJob = { name, cron: '0 0 1 1 *', run: async (signal) => starts.push(signal), ...overrides }
  return { job, starts }
}

test('catches up a missed tick at start, once, and none that was not missed', async () => {
  const now = () => at('2026-03-11T12:00:00Z')
  const missed = recorder('missed', { cron: '15 2 * * *', lastStartedAt: async () => at('2026-03-10T02:15:01Z') })
  const kept = recorder('kept', { cron: '15 2 * * *', lastStartedAt: async () => at('2026-03-11T02:15:01Z') })
  const unaware = recorder('unaware')
  const signal = new AbortController().signal
  const scheduler = await startScheduler([missed.job, kept.job, unaware.job], { timezone: 'UTC', logger, signal, now })
  await scheduler.stop()
  expect([missed, kept, unaware].map(({ starts }) => starts.length)).toEqual([1, 0, 0])
})

test('knows the next run in the time zone of the cron lines', async () => {
  const { job } = recorder('nightly', { cron: '15 2 * * *' })
  const signal = new AbortController().signal
  const scheduler = await startScheduler([job], { timezone: 'America/Sao_Paulo', logger, signal })
  expect(scheduler.states()[0]?.nextRun?.toISOString()).toMatch(/T05:15:00\.000Z$/)
  await scheduler.stop()
})
