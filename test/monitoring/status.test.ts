import { describe, expect, test } from 'vitest'
import { calendarDays } from '../../src/monitoring/calendar.ts'
import { filledShare } from '../../src/monitoring/filled-share.ts'
import { statusDocument, type StatusInputs } from '../../src/monitoring/status.ts'

const now = new Date('2026-11-22T12:00:00.000Z')
const at = (text: string): Date => new Date(text)
const window = (
  start: string,
  end: string,
  status: 'done' | 'provisional' | 'unstable' | 'failed',
  hits: number | null = 10,
) => ({
  start: at(start),
  end: at(end),
  status,
  hits,
  readAt: at('2026-11-22T02:16:00Z'),
  nextAttemptAt: null,
  attempts: 1,
  error: status === 'failed' ? 'The API answered 400' : null,
})

describe('the calendar', () => {
  const states = (windows: ReturnType<typeof window>[], runs: Parameters<typeof calendarDays>[0]['runs'] = []) =>
    calendarDays({ now, firstDay: at('2026-11-18T00:00:00Z'), windows, due: [], runs }).map(
      ({ day, state }) => `${day.slice(8)} ${state}`,
    )

  test('distinguishes loaded, owed, failed, unstable and provisional days, and today', () => {
    expect(
      states([
        window('2026-11-18T00:00:00Z', '2026-11-19T00:00:00Z', 'done'),
        window('2026-11-20T00:00:00Z', '2026-11-21T00:00:00Z', 'failed'),
        window('2026-11-21T00:00:00Z', '2026-11-22T00:00:00Z', 'unstable'),
        window('2026-11-22T00:00:00Z', '2026-11-22T11:20:00Z', 'provisional'),
      ]),
    ).toEqual(['18 loaded', '19 owed', '20 failed', '21 unstable', '22 provisional'])
    expect(states([]).at(-1)).toBe('22 open')
  })

  test('counts a day as loaded only when it is completely loaded, in one window or several', () => {
    const half = window('2026-11-18T00:00:00Z', '2026-11-18T12:00:00Z', 'done')
    expect(states([half])[0]).toBe('18 owed')
    expect(states([half, window('2026-11-18T12:00:00Z', '2026-11-19T00:00:00Z', 'done')])[0]).toBe('18 loaded')
  })

  test('shows what a running job is going to read, until it has been read', () => {
    const plan = { windows: [{ window: '2026-11-19' }, { window: '2026-11-20T00:00Z/2026-11-20T12:00Z' }] }
    const run = { status: 'running', startedAt: at('2026-11-22T02:15:00Z'), plan }
    expect(states([], [run]).slice(0, 4)).toEqual(['18 owed', '19 loading', '20 loading', '21 owed'])
    const read = window('2026-11-19T00:00:00Z', '2026-11-20T00:00:00Z', 'done')
    expect(states([read], [run])[1]).toBe('19 loaded')
    expect(states([], [{ ...run, status: 'done' }])[1]).toBe('19 owed')
  })

  test.each([[null], ['text'], [{ windows: 3 }], [{ windows: [null, { window: 7 }, { window: 'soon' }] }]])(
    'ignores a plan that is %j',
    (plan) => {
      expect(states([], [{ status: 'running', startedAt: now, plan }])[0]).toBe('18 owed')
    },
  )

  test('starts with the first loaded day, but shows at most a year', () => {
    const early = window('2026-01-01T00:00:00Z', '2026-01-02T00:00:00Z', 'done')
    const earlier = window('2019-01-01T00:00:00Z', '2019-01-02T00:00:00Z', 'done')
    const firstDay = at('2026-11-18T00:00:00Z')
    expect(calendarDays({ now, firstDay, windows: [early], due: [], runs: [] })[0]?.day).toBe('2026-01-01')
    expect(calendarDays({ now, firstDay, windows: [earlier], due: [], runs: [] })).toHaveLength(366)
  })
})

describe('the status', () => {
  const inputs: StatusInputs = {
    now,
    lookbackDays: 1,
    historyStart: null,
    windows: [window('2026-11-21T00:00:00Z', '2026-11-22T00:00:00Z', 'done')],
    runs: [],
    jobs: [],
    rejectedRecords: 0,
    rejectedReasons: [],
    live: null,
    deliveries: { pending: 0, oldestPendingAt: null, givenUp: 0, lastError: null, isStopped: false },
  }
  const snapshot = {
    at: at('2026-11-22T11:50:00Z'),
    source: 'analytics',
    conversations: 1,
    durationMs: 1,
    requests: 1,
    stretched: false,
  }

  test('reports a failure until a run succeeds, also while a new attempt is running', () => {
    const run = { id: 1, job: 'sync', trigger: 'cron', startedAt: now, finishedAt: now, counts: null, errorCode: 'X' }
    const failed = { ...run, status: 'failed' as const, error: 'Genesys is away', hint: 'Wait.' }
    const running = {
      ...run,
      id: 2,
      status: 'running' as const,
      finishedAt: null,
      errorCode: null,
      error: null,
      hint: null,
    }
    const job = { job: 'sync', lastSuccessAt: null, failuresInARow: 1, lastFailure: failed }
    for (const lastRun of [failed, running, { ...running, status: 'interrupted' as const }]) {
      expect(statusDocument({ ...inputs, jobs: [{ ...job, lastRun }] })).toMatchObject({
        state: 'failing',
        problems: [{ title: 'sync has failed', detail: 'Genesys is away', hint: 'Wait.', since: now }],
      })
    }
    const done = { ...job, lastRun: { ...running, status: 'done' as const }, failuresInARow: 0, lastFailure: null }
    expect(statusDocument({ ...inputs, jobs: [done] })).toMatchObject({ state: 'ok', problems: [] })
  })

  test('is ok when everything is loaded, behind when days are missing, failing when somebody has to act', () => {
    expect(statusDocument(inputs)).toMatchObject({ state: 'ok', problems: [] })
    expect(statusDocument({ ...inputs, windows: [] })).toMatchObject({
      state: 'behind',
      problems: [{ severity: 'notice' }],
    })
    const windows = [window('2026-11-21T00:00:00Z', '2026-11-22T00:00:00Z', 'failed')]
    expect(statusDocument({ ...inputs, windows })).toMatchObject({
      state: 'failing',
      problems: [{ severity: 'trouble' }, {}],
    })
  })

  test('merges covered intervals, however the windows were cut and in whatever order they were read', () => {
    const windows = [
      window('2026-11-20T12:00:00Z', '2026-11-21T00:00:00Z', 'done'),
      window('2026-11-18T00:00:00Z', '2026-11-19T00:00:00Z', 'done'),
      window('2026-11-20T00:00:00Z', '2026-11-20T18:00:00Z', 'done'),
      window('2026-11-19T00:00:00Z', '2026-11-20T00:00:00Z', 'done'),
      window('2026-11-21T12:00:00Z', '2026-11-22T00:00:00Z', 'done'),
      window('2026-11-21T00:00:00Z', '2026-11-21T12:00:00Z', 'failed'),
    ]
    expect(statusDocument({ ...inputs, historyStart: at('2026-11-18T00:00:00Z'), windows }).history).toMatchObject({
      covered: [
        { start: at('2026-11-18T00:00:00Z'), end: at('2026-11-21T00:00:00Z') },
        { start: at('2026-11-21T12:00:00Z'), end: at('2026-11-22T00:00:00Z') },
      ],
      owed: [{ start: at('2026-11-21T00:00:00Z'), end: at('2026-11-21T12:00:00Z') }],
      coveredUntil: at('2026-11-21T00:00:00Z'),
      lagSeconds: 36 * 3600,
    })
  })

  test('marks live data stale by age: three minutes, or more for a slower schedule', () => {
    const live = { snapshot, failure: null, byState: {} }
    expect(statusDocument({ ...inputs, live })).toMatchObject({
      state: 'failing',
      live: { isStale: true, ageSeconds: 600 },
    })
    expect(statusDocument({ ...inputs, live, liveStaleSeconds: 900 })).toMatchObject({
      state: 'ok',
      live: { isStale: false },
    })
  })

  test('treats rejected records, and a failed snapshot while the data is fresh, as notices', () => {
    const failure = { at: now, error: 'Genesys does not answer', inARow: 1 }
    const live = { snapshot: { ...snapshot, at: now }, failure, byState: {} }
    const document = statusDocument({ ...inputs, live, rejectedRecords: 2 })
    expect(document.state).toBe('ok')
    expect(document.problems.map(({ severity }) => severity)).toEqual(['notice', 'notice'])
  })

  test('has no watermark while the first day is missing', () => {
    const { history } = statusDocument({ ...inputs, historyStart: at('2026-11-20T00:00:00Z') })
    expect(history).toMatchObject({ coveredUntil: null, lagSeconds: 60 * 3600 })
  })

  test('ignores a failed window whose time other windows cover', () => {
    const windows = [
      window('2026-11-21T00:00:00Z', '2026-11-22T00:00:00Z', 'failed'),
      window('2026-11-21T00:00:00Z', '2026-11-21T12:00:00Z', 'done'),
      window('2026-11-21T12:00:00Z', '2026-11-22T00:00:00Z', 'done'),
    ]
    expect(statusDocument({ ...inputs, windows })).toMatchObject({
      state: 'ok',
      problems: [],
      history: { unsettled: [] },
    })
  })

  const waiting = (milliseconds: number) => ({
    pending: 1,
    oldestPendingAt: new Date(+now - milliseconds),
    givenUp: 0,
    lastError: null,
    isStopped: false,
  })

  test('counts a message as late after a quarter of an hour', () => {
    const state = (milliseconds: number) => statusDocument({ ...inputs, deliveries: waiting(milliseconds) }).state
    expect([state(15 * 60_000), state(15 * 60_000 + 1)]).toEqual(['ok', 'failing'])
  })

  test('an erasure that is not complete is a notice for a day, and then needs action', () => {
    const since = (text: string) => ({ unfinished: 1, conversations: 2, oldestAt: at(text) })
    expect(statusDocument({ ...inputs, erasures: since('2026-11-21T12:00:00Z') })).toMatchObject({
      state: 'ok',
      problems: [{ severity: 'notice', title: '1 erasure is not complete', since: at('2026-11-21T12:00:00Z') }],
    })
    expect(statusDocument({ ...inputs, erasures: since('2026-11-21T11:59:00Z') })).toMatchObject({ state: 'failing' })
  })

  test('needs action at once when the receiver has ended the deliveries', () => {
    const { state, problems } = statusDocument({ ...inputs, deliveries: { ...waiting(1000), isStopped: true } })
    expect(state).toBe('failing')
    expect(problems[0]?.title).toBe('The receiver of WEBHOOK_URL has ended the deliveries; 1 message pending')
  })

  test('lists problems that need action first', () => {
    const windows = [window('2026-11-21T00:00:00Z', '2026-11-22T00:00:00Z', 'unstable')]
    const { problems } = statusDocument({ ...inputs, windows, deliveries: waiting(3_600_000) })
    expect(problems.map(({ severity }) => severity)).toEqual(['trouble', 'notice', 'notice'])
  })

  test('is behind while the re-read of a loaded day is overdue, and names the day', () => {
    const missed = {
      ...window('2026-11-19T00:00:00Z', '2026-11-20T00:00:00Z', 'done'),
      readAt: at('2026-11-19T23:00:00Z'),
    }
    const document = statusDocument({ ...inputs, windows: [...inputs.windows, missed] })
    expect(document).toMatchObject({
      state: 'behind',
      problems: [{ severity: 'notice', title: 'Re-read overdue: 2026-11-19' }],
      history: { owed: [], due: [{ start: missed.start, end: missed.end }] },
    })
    expect(document.history.days[0]).toMatchObject({ day: '2026-11-19', state: 'due' })
    const settled = { ...missed, readAt: at('2026-11-20T02:00:00Z') }
    expect(statusDocument({ ...inputs, windows: [...inputs.windows, settled] })).toMatchObject({ state: 'ok' })
  })

  test('does not count windows dated in the future as coverage, and names them', () => {
    const tomorrow = window('2026-11-23T00:00:00Z', '2026-11-24T00:00:00Z', 'done')
    const readAhead = { ...inputs.windows[0]!, readAt: at('2026-11-25T00:00:00Z') }
    const document = statusDocument({ ...inputs, windows: [readAhead, tomorrow] })
    expect(document).toMatchObject({
      state: 'failing',
      history: { owed: [{ start: readAhead.start }], provisionalUntil: null },
      windows: { done: 0 },
    })
    expect(document.problems[0]?.title).toContain('Dated in the future')
    expect(document.problems[0]?.detail).toContain('2026-11-21, 2026-11-23')
  })

  test('treats a snapshot dated in the future as stale', () => {
    const live = { snapshot: { ...snapshot, at: at('2026-11-22T13:00:00Z') }, failure: null, byState: {} }
    expect(statusDocument({ ...inputs, live })).toMatchObject({
      state: 'failing',
      live: { isStale: true, ageSeconds: null },
    })
  })

  test('reports months that the ledger has and the tables lack', () => {
    const emptyMonths = [{ month: '2026-03', conversations: 120, tables: ['conversations'] }]
    const document = statusDocument({ ...inputs, emptyMonths })
    expect(document).toMatchObject({ state: 'failing', problems: [{ severity: 'trouble' }], history: { emptyMonths } })
    expect(document.problems[0]?.title).toContain('2026-03')
  })
})

describe('the share of the history whose reporting rows are filled', () => {
  const days = [
    window('2026-11-19T00:00:00Z', '2026-11-20T00:00:00Z', 'done', 60),
    window('2026-11-20T00:00:00Z', '2026-11-21T00:00:00Z', 'done', 30),
    window('2026-11-21T00:00:00Z', '2026-11-22T00:00:00Z', 'unstable', 10),
    window('2026-11-18T00:00:00Z', '2026-11-19T00:00:00Z', 'failed', null),
  ]
  test.each([
    ['2026-11-21T00:00:00Z', 0.1],
    ['2026-11-20T12:00:00Z', 0.25],
    ['2026-11-19T00:00:00Z', 1],
    ['2026-11-22T09:00:00Z', 0],
  ])('filled back to %s: %d of the conversations', (filledBackTo, share) => {
    expect(filledShare({ isFilled: false, filledBackTo: at(filledBackTo) }, days)).toBeCloseTo(share)
  })

  test('all when it is complete, nothing before it has begun or without conversations', () => {
    expect(filledShare({ isFilled: true, filledBackTo: null }, [])).toBe(1)
    expect(filledShare({ isFilled: false, filledBackTo: null }, days)).toBe(0)
    expect(filledShare({ isFilled: false, filledBackTo: at('2026-11-21T00:00:00Z') }, [])).toBe(0)
  })
})
