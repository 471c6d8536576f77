import { PassThrough } from 'node:stream'
import { describe, expect, test, vi } from 'vitest'
import { EtlError } from '../src/errors.ts'
import { createLogger } from '../src/log.ts'
import { createProgress, formatDuration, progressLine, secondsRemaining } from '../src/progress.ts'
import { createTerminal } from '../src/terminal.ts'

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
    const lines: string[] = []
    const progress = createProgress({
      terminal: { showProgress: (line) => void lines.push(line), endProgress() {} },
      logger: createLogger('silent'),
      requestsPerMinute: 270,
      limitWaitMs: () => Math.max(0, 30_000 - Date.now()),
    })
    vi.setSystemTime(0)
    progress.plan('backfill', 40)
    progress.advance(1)
    vi.advanceTimersByTime(10_000)
    expect(lines.at(-1)).toContain('used up for 20 s')
    progress.finish()
    const drawn = lines.length
    vi.advanceTimersByTime(10_000)
    expect(lines).toHaveLength(drawn)
  } finally {
    vi.useRealTimers()
  }
})

test('writes durations as people say them', () => {
  expect([0, 59.4, 65, 3600, 7199, 8100].map(formatDuration)).toEqual([
    '0 s',
    '59 s',
    '1 min 5 s',
    '1 h 0 min',
    '2 h 0 min',
    '2 h 15 min',
  ])
})

/** What a progress shows on a terminal, and what it logs, while the clock goes on a second per request. */
async function watch(isTerminal: boolean): Promise<{ screen: string; log: string }> {
  const screen = createScreen()
  const log = new PassThrough()
  let now = 0
  const progress = createProgress({
    terminal: isTerminal ? createTerminal(screen) : null,
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
  return { screen: screen.text(), log: String(log.read() ?? '') }
}

/** A terminal of a width that keeps what was written to it. */
function createScreen(columns = 100): { write(text: string): boolean; columns: number; text(): string } {
  let text = ''
  return {
    columns,
    write(more) {
      text += more
      return true
    },
    text: () => text,
  }
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

describe('log lines on a terminal', () => {
  test('are readable, and keep the bar intact below them', () => {
    const screen = createScreen()
    const terminal = createTerminal(screen)
    const logger = createLogger('info', terminal.logStream)
    terminal.showProgress('sync ███░░░ 1/2 requests')
    logger.warn({ job: 'sync', reason: 'no answer' }, 'scheduled run failed')
    terminal.endProgress()
    const clear = '\r\u001B[2K'
    const [before, time, after] = screen.text().split(/(\d\d:\d\d:\d\dZ)/)
    expect(before).toBe(`${clear}sync ███░░░ 1/2 requests${clear}`)
    expect(time).toBeDefined()
    expect(after).toBe(` warn  scheduled run failed  job=sync  reason="no answer"\n${clear}sync ███░░░ 1/2 requests\n`)
  })

  test('show an error of ours by message and hint, and any other one with its stack', () => {
    const screen = createScreen()
    const logger = createLogger('info', createTerminal(screen).logStream)
    logger.error({ err: new EtlError('no access', { code: 'DENIED', kind: 'fatal', hint: 'Grant it.' }) }, 'run failed')
    logger.error({ err: new TypeError('oops') }, 'run failed')
    expect(screen.text()).toContain('error run failed\n    no access (DENIED)\n    Grant it.\n')
    expect(screen.text()).toMatch(/ {4}TypeError: oops\n {4} {4}at /)
  })

  test('cut a bar that is wider than the terminal', () => {
    const screen = createScreen(10)
    createTerminal(screen).showProgress('0123456789abc')
    expect(screen.text()).toBe('\r\u001B[2K012345678')
  })
})
