import { PassThrough } from 'node:stream'
import type { WriteStream } from 'node:tty'
import { expect, test, vi } from 'vitest'
import { createLogger } from '../src/log.ts'
import { createProgress, formatDuration, progressLine, secondsRemaining } from '../src/progress.ts'

test('extrapolates the pace so far, but promises no more than the rate limit allows', () => {
  const limit = { requestsPerMinute: 60 }
  expect(secondsRemaining({ ...limit, planned: 100, done: 0, elapsedSeconds: 5 })).toBeNull()
  expect(secondsRemaining({ ...limit, planned: 100, done: 10, elapsedSeconds: 20 })).toBe(180)
  // 60 requests went out in a burst of 3 seconds; the other 540 take nine minutes whatever the pace was.
  expect(secondsRemaining({ ...limit, planned: 600, done: 60, elapsedSeconds: 3 })).toBe(537)
  expect(secondsRemaining({ ...limit, planned: 10, done: 10, elapsedSeconds: 3 })).toBe(0)
})

test('draws a bar with what is done of what is planned', () => {
  const line = progressLine({ label: 'sync', planned: 200, done: 100, secondsLeft: 65 })
  expect(line).toBe(`sync ${'█'.repeat(15)}${'░'.repeat(15)} 100/200 requests, about 1 min 5 s left`)
  expect(progressLine({ label: 'sync', planned: 2, done: 2, secondsLeft: 0 })).not.toContain('left')
})

test('says for how long the request limit is used up, and promises nothing before that', () => {
  const state = { label: 'sync', planned: 200, done: 100, secondsLeft: 65 }
  expect(progressLine({ ...state, waitSeconds: 23 })).toContain(
    '100/200 requests, about 1 min 5 s left (the request limit is used up for 23 s)',
  )
  expect(progressLine({ ...state, done: 200, waitSeconds: 23 })).not.toContain('limit')
  const inputs = { planned: 100, done: 90, elapsedSeconds: 9, requestsPerMinute: 600 }
  expect(secondsRemaining({ ...inputs, waitSeconds: 0 })).toBe(1)
  expect(secondsRemaining({ ...inputs, waitSeconds: 40 })).toBe(40)
})

test('goes on counting down while the limit lets nothing through', () => {
  vi.useFakeTimers()
  try {
    const screen = Object.assign(new PassThrough(), { isTTY: true })
    const progress = createProgress({
      stream: screen as unknown as WriteStream,
      logger: createLogger('silent'),
      requestsPerMinute: 270,
      limitWaitMs: () => Math.max(0, 30_000 - Date.now()),
    })
    vi.setSystemTime(0)
    progress.plan('backfill', 40)
    progress.advance(1)
    vi.advanceTimersByTime(10_000)
    expect(String(screen.read())).toContain('used up for 20 s')
    progress.finish()
    vi.advanceTimersByTime(10_000)
    expect(String(screen.read() ?? '')).not.toContain('used up for 10 s')
  } finally {
    vi.useRealTimers()
  }
})

test('writes durations as people say them', () => {
  expect([0, 59.4, 65, 3600, 8100].map(formatDuration)).toEqual(['0 s', '59 s', '1 min 5 s', '1 h 0 min', '2 h 15 min'])
})

/** What a progress writes to a stream, and what it logs, while the clock goes on a second a request. */
async function watch(isTerminal: boolean): Promise<{ screen: string; log: string }> {
  const screen = Object.assign(new PassThrough(), { isTTY: isTerminal })
  const log = new PassThrough()
  let now = 0
  const progress = createProgress({
    stream: screen as unknown as WriteStream,
    logger: createLogger('info', log),
    requestsPerMinute: 270,
    now: () => now,
  })
  progress.plan('backfill', 40)
  for (let request = 0; request < 45; request++) {
    now += 1000
    progress.advance(1)
  }
  progress.finish()
  return { screen: String(screen.read() ?? ''), log: String(log.read() ?? '') }
}

test('rewrites one line on a terminal, which never runs past its end', async () => {
  const { screen, log } = await watch(true)
  expect(screen.split('\r').length).toBeGreaterThan(40)
  expect(screen).toContain('45/45 requests\n')
  expect(screen.match(/\n/g)).toHaveLength(1)
  expect(log).toBe('')
})

test('logs now and then where there is no terminal', async () => {
  const { screen, log } = await watch(false)
  const lines = log.trim().split('\n')
  expect(lines).toHaveLength(3)
  expect(JSON.parse(lines[0] ?? '')).toMatchObject({ msg: 'progress', label: 'backfill', requestsDone: 15 })
  expect(screen).toBe('')
})
