import { afterAll, describe, expect, test } from 'vitest'
import { model } from '../../src/model/model.ts'
import { MALFORMED_KINDS } from '../../src/simulator/malformed-records.ts'
import { startSimulator } from '../../src/simulator/server.ts'
import type { Json } from '../../src/simulator/conversation-plan.ts'

const byValue = (a: number, b: number): number => a - b
const list = (value: unknown): Json[] => (value ?? []) as Json[]
const sessionsOf = (conversation: Json): { purpose: string; session: Json }[] =>
  list(conversation['participants']).flatMap((participant) =>
    list(participant['sessions']).map((session) => ({ purpose: String(participant['purpose']), session })),
  )

const org = await startSimulator({
  seed: 7,
  now: '2026-03-20T12:00:00Z',
  perDay: 600,
  exactPerDay: true,
  days: 5,
  malformedShare: 0,
})
const days = ['2026-03-15', '2026-03-16', '2026-03-17', '2026-03-18', '2026-03-19']
const history = days.flatMap((day) => org.truth(day))
afterAll(() => org.close())

describe('a generated organization', () => {
  test('has exactly as many conversations a day as asked for', () => {
    expect(days.map((day) => org.truth(day).length)).toEqual([600, 600, 600, 600, 600])
  })

  test('uses every field of the model within 3 000 conversations, but for attributes', () => {
    const seen = new Set<string>()
    const note = (table: string, row: Json): void => {
      for (const [field, value] of Object.entries(row)) if (value !== null) seen.add(`${table}.${field}`)
    }
    for (const conversation of history) {
      note('conversations', conversation)
      for (const table of ['evaluations', 'surveys', 'resolutions'])
        for (const row of list(conversation[table])) note(table, row)
      for (const participant of list(conversation['participants'])) note('participants', participant)
      for (const { session } of sessionsOf(conversation)) {
        note('sessions', session)
        for (const row of list(session['segments'])) note('segments', row)
        for (const row of list(session['metrics'])) note('session_metrics', row)
        for (const row of list(session['mediaEndpointStats'])) note('media_endpoint_stats', row)
        const flow = (session['flow'] ?? {}) as Json
        note('flows', flow)
        for (const row of list(flow['outcomes'])) note('flow_outcomes', row)
      }
    }
    const missing = Object.entries(model)
      .filter(([table]) => table !== 'participant_attributes')
      .flatMap(([table, entity]) => Object.keys(entity.fields).map((field) => `${table}.${field}`))
      .filter((field) => !seen.has(field))
    expect(missing).toEqual([])
    expect([...seen].filter((field) => field.endsWith('.attributes'))).toEqual([])
  })

  test('is about as large as real ones: 30 to 40 rows and 5 to 12 kB a conversation', () => {
    const rows = history.map((conversation) => {
      const sessions = sessionsOf(conversation).map(({ session }) => session)
      const children = sessions.map(
        (session) =>
          1 +
          list(session['segments']).length +
          list(session['metrics']).length +
          list(session['mediaEndpointStats']).length +
          (session['flow'] ? 1 + list((session['flow'] as Json)['outcomes']).length : 0),
      )
      return 1 + list(conversation['participants']).length + children.reduce((sum, each) => sum + each, 0)
    })
    const mean = (values: number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length
    expect(mean(rows)).toBeGreaterThan(30)
    expect(mean(rows)).toBeLessThan(40)
    const bytes = mean(org.truthText('2026-03-17').map((text) => text.length))
    expect(bytes).toBeGreaterThan(5_000)
    expect(bytes).toBeLessThan(12_000)
  })

  test('has every medium, both directions, transfers, abandons, conferences and reopened e-mails', () => {
    const sessions = history.flatMap(sessionsOf)
    const media = new Set(sessions.map(({ session }) => session['mediaType']))
    expect(media).toEqual(
      new Set(
        ['callback', 'chat', 'cobrowse', 'email', 'internalmessage', 'message', 'screenmonitoring', 'screenshare', 'video', 'voice'], // prettier-ignore
      ),
    )
    const metrics = new Set(sessions.flatMap(({ session }) => list(session['metrics']).map((metric) => metric['name'])))
    for (const name of [
      'tAbandon',
      'tShortAbandon',
      'nBlindTransferred',
      'nConsultTransferred',
      'tNotResponding',
      'nOutboundAbandoned',
      'tVoicemail',
      'tMonitoring',
      'tCoaching',
      'nOverSla',
      'tFlowOut',
    ])
      // prettier-ignore
      expect(metrics, name).toContain(name)
    expect(history.some((conversation) => conversation['conferenceStart'] !== undefined)).toBe(true)
    expect(history.some((conversation) => conversation['originatingDirection'] === 'outbound')).toBe(true)
    const overMidnight = history.filter(
      ({ conversationStart, conversationEnd }) =>
        typeof conversationEnd === 'string' && conversationEnd.slice(0, 10) !== String(conversationStart).slice(0, 10),
    )
    expect(overMidnight.length).toBeGreaterThan(20)
  })

  test('has metrics that add up', () => {
    let handled = 0
    let answered = 0
    const wrong: string[] = []
    for (const conversation of history) {
      // Collected and asserted once: there are some forty thousand metrics.
      const check = (what: string, ok: boolean): void => {
        if (!ok) wrong.push(`${String(conversation['conversationId'])}: ${what}`)
      }
      for (const { purpose, session } of sessionsOf(conversation)) {
        const metrics = list(session['metrics'])
        const sums = new Map<unknown, number>()
        for (const { name, value } of metrics) sums.set(name, (sums.get(name) ?? 0) + Number(value))
        const sum = (...names: string[]): number => names.reduce((total, name) => total + (sums.get(name) ?? 0), 0)
        if (sums.has('tTalkComplete')) check('talk', sum('tTalkComplete') === sum('tTalk'))
        if (sums.has('tHeldComplete')) check('held', sum('tHeldComplete') === sum('tHeld'))
        if (sums.has('tHandle')) {
          handled++
          const parts = ['tTalkComplete', 'tHeldComplete', 'tAcw', 'tDialing', 'tContacting'] // prettier-ignore
          check('handle', sum('tHandle') === sum(...parts))
          const emitted = metrics.map(({ emitDate }) => String(emitDate)).sort((a, b) => (a < b ? -1 : 1))
          check('emitDate', metrics.find(({ name }) => name === 'tHandle')?.['emitDate'] === emitted.at(-1))
        }
        if (purpose === 'acd') check('offered once', sum('nOffered') === 1)
        if (sums.has('tAnswered')) answered++
        for (const { segmentStart, segmentEnd } of list(session['segments']))
          check('order', segmentEnd === undefined || (segmentStart as string) <= (segmentEnd as string))
        check(
          'no negative',
          metrics.every(({ value }) => Number(value) >= 0),
        )
      }
      const metrics = sessionsOf(conversation).flatMap(({ session }) => list(session['metrics']))
      const values = (wanted: string): number[] =>
        metrics.filter(({ name }) => name === wanted).map(({ value }) => Number(value))
      const left = [...values('tAbandon'), ...values('tFlowOut')]
      const waited = values('tAcd').filter((value) => !left.includes(value))
      // A message that leaves the queue while it waits has tAcd, and is neither answered, abandoned nor a flow-out.
      const mayLeave = sessionsOf(conversation).some(({ session }) => session['mediaType'] === 'message')
      if (mayLeave) check('answered', new Set(values('tAnswered')).isSubsetOf(new Set(waited)))
      else if (conversation['conversationEnd'] !== undefined)
        check('answered', String(values('tAnswered').sort(byValue)) === String(waited.sort(byValue)))
    }
    expect(wrong).toEqual([])
    expect(handled).toBeGreaterThan(1_000)
    expect(answered).toBeGreaterThan(1_000)
  })

  test('counts over-SLA by the target of the queue and the medium', () => {
    const queues = new Map(org.org.queues.map((queue) => [queue.id, queue]))
    for (const { session, purpose } of history.flatMap(sessionsOf)) {
      if (purpose !== 'acd') continue
      const metrics = list(session['metrics'])
      const waiting = list(session['segments']).find(({ segmentType }) => segmentType === 'interact')
      const queue = queues.get(String(waiting?.['queueId']))
      const acd = metrics.find(({ name }) => name === 'tAcd')
      if (!queue || !acd || metrics.some(({ name }) => name === 'tAbandon' || name === 'tFlowOut')) continue
      // Who left without an answer is not late.
      if (waiting?.['disconnectType'] === 'peer') continue
      const target = queue.serviceLevelMs[session['mediaType'] as keyof typeof queue.serviceLevelMs]
      expect(metrics.some(({ name }) => name === 'nOverSla')).toBe(Number(acd['value']) > target)
    }
  })

  test('uses only invented people: example.com and numbers set aside for fiction', () => {
    const text = org.truthText('2026-03-18').join('\n')
    const addresses = text.match(/[\w.+-]+@[\w.-]*\w/g) ?? []
    expect(addresses.length).toBeGreaterThan(100)
    expect(addresses.filter((address) => !/(example\.com|@localhost)$/.test(address))).toEqual([])
    const numbers = text.match(/\+1\d{10}/g) ?? []
    expect(numbers.length).toBeGreaterThan(100)
    expect(numbers.filter((number) => !/^\+1\d{3}55501\d\d$/.test(number))).toEqual([])
  })
})

describe('a seed', () => {
  const settings = { now: '2026-03-20T12:00:00Z', perDay: 60, days: 3 }

  test('gives the same bytes again, whatever the range', async () => {
    await using first = await startSimulator({ ...settings, seed: 11 })
    await using second = await startSimulator({ ...settings, seed: 11, days: 1 })
    expect(first.truthText('2026-03-19')).toEqual(second.truthText('2026-03-19'))
    expect(first.truthText('2026-03-19').length).toBeGreaterThan(40)
    expect(first.clientId).toBe(second.clientId)
  })

  test('differs from another seed', async () => {
    await using first = await startSimulator({ ...settings, seed: 11 })
    await using second = await startSimulator({ ...settings, seed: 12 })
    expect(first.truthText()).not.toEqual(second.truthText())
  })

  test('has quiet weekends and nights', async () => {
    await using org = await startSimulator({ seed: 3, now: '2026-03-23T00:00:00Z', perDay: 400, days: 7 })
    expect(org.truth('2026-03-21').length).toBeLessThan(org.truth('2026-03-19').length / 2)
    const hours = org.truth('2026-03-19').map((each) => Number(String(each['conversationStart']).slice(11, 13)))
    expect(hours.filter((hour) => hour === 10).length).toBeGreaterThan(5 * hours.filter((hour) => hour === 3).length)
  })
})

describe('malformed records', () => {
  test('make up the given share, and each kind occurs in every thousand', async () => {
    await using org = await startSimulator({
      seed: 5,
      now: '2026-03-20T00:00:00Z',
      perDay: 1_000,
      exactPerDay: true,
      days: 2,
    })
    for (const day of ['2026-03-18', '2026-03-19']) {
      const records = org.malformed(day)
      expect(records.length).toBe(30)
      expect(new Set(records.filter(({ keyable }) => !keyable).map(({ kind }) => kind)).size).toBe(3)
      expect(new Set(records.map(({ kind }) => kind))).toEqual(new Set(Object.keys(MALFORMED_KINDS)))
    }
    const text = org.truthText('2026-03-19')
    for (const trace of ['\\u0000', '\\ud83d', '1e400', '9223372036854775808', '"__proto__"', '👩🏽‍💻', '"xBrandNew"'])
      expect(
        text.some((line) => line.includes(trace)),
        trace,
      ).toBe(true)
    expect(text.some((line) => line.length > 100_000)).toBe(true)
    const truth = org.truth('2026-03-19')
    expect(truth.filter((record) => typeof record['conversationId'] !== 'string').length).toBeGreaterThan(0)
    expect(
      truth.filter((record) => Number.isNaN(Date.parse(String(record['conversationStart'])))).length,
    ).toBeGreaterThan(1)
    const shared = text.filter((line) => line.includes('5e551011-aaaa-4bbb-8ccc-5e5510110000'))
    expect(
      shared.length + org.truthText('2026-03-18').filter((line) => line.includes('5e551011')).length,
    ).toBeGreaterThan(1)
  })

  test('keep every digit in the truth', async () => {
    await using org = await startSimulator({
      seed: 5,
      now: '2026-03-20T00:00:00Z',
      perDay: 1_000,
      exactPerDay: true,
      days: 1,
    })
    const text = org.truthText('2026-03-19')
    expect(org.truth('2026-03-19').map((record) => JSON.stringify(record))).toEqual(text)
  })

  test('can be switched off', async () => {
    await using org = await startSimulator({
      seed: 5,
      now: '2026-03-20T00:00:00Z',
      perDay: 500,
      days: 1,
      malformedShare: 0,
    })
    expect(org.malformed()).toEqual([])
  })
})
