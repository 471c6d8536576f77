/** Records in the shape of genuine ones: what they have that generated ones might not, through transform, tables and live. */
import { readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { describe, expect, it } from 'vitest'
import { canonical, differences } from '../../src/model/canonical.ts'
import { columnsOf, emptyRowSet, tables } from '../../src/model/columns.ts'
import type { TableName } from '../../src/model/columns.ts'
import { parseJson } from '../../src/model/json.ts'
import type { JsonObject } from '../../src/model/json.ts'
import { readAnalytics } from '../../src/live/from-analytics.ts'
import { metricNames } from '../../src/model/metric-names.ts'
import { reassemble } from '../../src/model/reassemble.ts'
import { appendRows } from '../../src/model/transform.ts'

const folder = path.join(import.meta.dirname, '..', 'fixtures', 'records')
const read = (name: string): JsonObject => parseJson(readFileSync(path.join(folder, name), 'utf8')) as JsonObject
const names = readdirSync(folder)
const voice = read('voice-transfer-unanswered.json')
const message = read('web-messaging-two-queues.json')
const chat = read('chat-wrapping-up.json')
const preview = read('preview-callback.json')

type Cells = Record<string, unknown>

/** The rows of a record, by table, with their cells by column. */
function rowsOf(record: JsonObject): Record<TableName, Cells[]> {
  const rows = emptyRowSet()
  appendRows(rows, record)
  return Object.fromEntries(
    tables.map((table) => [
      table,
      rows[table].map((row) =>
        Object.fromEntries(columnsOf(table).flatMap(({ name }, i) => (i < row.length ? [[name, row[i]]] : []))),
      ),
    ]),
  ) as Record<TableName, Cells[]>
}

/** A metric's values in all sessions of the participants of a purpose, in the record's order. */
function valuesOf(rows: Record<TableName, Cells[]>, purpose: string, metric: string): unknown[] {
  const participants = new Set(
    rows.participants.filter((each) => each['purpose'] === purpose).map((each) => each['_index']),
  )
  const sessions = new Set(
    rows.sessions.filter((each) => participants.has(each['_participant_index'])).map((each) => each['_index']),
  )
  return rows.session_metrics
    .filter((each) => each['name'] === metric && sessions.has(each['_session_index']))
    .map((each) => each['value'])
}

const sum = (values: readonly unknown[]): number => values.reduce((total: number, value) => total + Number(value), 0)

describe.each(names)('%s', (name) => {
  const record = read(name)

  it('comes back from its rows as it was, and leaves nothing in _extra', () => {
    const rows = emptyRowSet()
    appendRows(rows, record)
    expect(differences(reassemble(rows), record)).toEqual([])
    expect(JSON.stringify(canonical(reassemble(rows)))).toBe(JSON.stringify(canonical(record)))
    const extras = Object.values(rowsOf(record)).flatMap((list) => list.map((row) => row['_extra'] ?? null))
    expect(extras.filter((extra) => extra !== null)).toEqual([])
  })

  it('has only metrics of the dictionary', () => {
    const known = new Set(metricNames.map((metric) => metric.name))
    expect(rowsOf(record).session_metrics.filter((row) => !known.has(String(row['name'])))).toEqual([])
  })

  it('ends with its last segment, if it has ended', () => {
    const { segments, conversations } = rowsOf(record)
    const ends = segments.map((segment) => String(segment['segment_end'])).sort()
    const end = conversations[0]?.['conversation_end']
    if (name === 'chat-wrapping-up.json') expect(end).toBeNull()
    else expect(end).toBe(ends.at(-1))
  })
})

describe('a call with a transfer and an agent who does not answer', () => {
  const rows = rowsOf(voice)

  it('has tAcw and tHandle of that agent, shorter than the segment, so handled counts one more than answered', () => {
    expect(valuesOf(rows, 'agent', 'tNotResponding')).toEqual([20_016])
    expect(valuesOf(rows, 'agent', 'tHandle')).toHaveLength(3)
    expect(valuesOf(rows, 'agent', 'tAnswered')).toHaveLength(2)
    expect(valuesOf(rows, 'agent', 'tAcw')[0]).toBe(42_000)
  })

  it('has the first queue on the customer, whose first segment begins before the conversation', () => {
    const customer = rows.segments.filter((each) => each['_participant_index'] === 0)
    const acd = rows.segments.filter(
      (each) => rows.participants[Number(each['_participant_index'])]?.['purpose'] === 'acd',
    )
    expect(customer.map((each) => each['queue_id'])).toEqual([null, acd[0]?.['queue_id']])
    expect(acd.at(-1)?.['queue_id']).not.toBe(acd[0]?.['queue_id'])
    expect(String(customer[0]?.['segment_start']) < String(rows.conversations[0]?.['conversation_start'])).toBe(true)
  })

  it('lists in-queue flows that are no executions', () => {
    expect(rows.flows).toHaveLength(3)
    expect(rows.session_metrics.filter((each) => each['name'] === 'nFlow')).toHaveLength(1)
  })
})

describe('a web message of one agent, seven sessions and two queues', () => {
  const rows = rowsOf(message)

  it('has one agent participant whose sessions belong to two queues', () => {
    const agents = rows.participants.filter((each) => each['purpose'] === 'agent')
    expect(agents).toHaveLength(1)
    const own = rows.segments.filter((each) => each['_participant_index'] === agents[0]?.['_index'])
    expect(new Set(own.map((each) => each['session_id'])).size).toBe(7)
    expect(new Set(own.map((each) => each['queue_id'])).size).toBe(2)
    expect(own.filter((each) => each['segment_type'] === 'hold').length).toBeGreaterThan(12)
  })

  it('has handle times that are the sums of their parts, and no alert', () => {
    const total = (metric: string): number => sum(valuesOf(rows, 'agent', metric))
    expect(total('tHandle')).toBe(total('tTalkComplete') + total('tHeldComplete') + total('tAcw'))
    expect(total('tTalkComplete')).toBe(total('tTalk'))
    expect(valuesOf(rows, 'agent', 'tAlert')).toEqual([])
    expect(valuesOf(rows, 'agent', 'tAnswered')).toEqual(valuesOf(rows, 'acd', 'tAcd'))
  })

  it('keeps its attributes whole, and the outcome as id:value', () => {
    expect(rows.participant_attributes).toHaveLength(1)
    const [outcome] = rows.flow_outcomes
    expect(outcome?.['flow_outcome']).toBe(
      `${String(outcome?.['flow_outcome_id'])}:${String(outcome?.['flow_outcome_value'])}`,
    )
  })
})

it('a preview callback has the talk time of its session, and the calling besides', () => {
  const rows = rowsOf(preview)
  const callback = rows.sessions.filter((each) => each['media_type'] === 'callback').map((each) => each['_index'])
  const values = (metric: string): number =>
    sum(
      rows.session_metrics
        .filter((each) => each['name'] === metric && callback.includes(each['_session_index'] as number))
        .map((each) => each['value']),
    )
  expect(values('tHandle')).toBe(values('tTalkComplete') + values('tAcw'))
  expect(values('tActiveCallbackComplete')).toBeGreaterThan(0)
  expect(values('tActiveCallbackComplete')).toBeLessThan(values('tTalkComplete'))
})

describe('live', () => {
  it('takes ended records as ended, however long the after-call work was', () => {
    for (const record of [voice, message, preview]) {
      const end = record['conversationEnd'] as string
      expect(readAnalytics(record, new Date(Date.parse(end) + 1_000))).toMatchObject({ kind: 'ended', endedAt: end })
    }
  })

  it('takes a chat in after-call work as such, with its queue and agent, though it has no open segment', () => {
    const reading = readAnalytics(chat, new Date('2026-11-22T11:53:00Z'))
    const agent = { queueId: '3cf8846e-dda8-4b4a-a7ed-14f4165290c6', userId: '89e678ff-b165-4e17-ae0a-94c3af802a5f' }
    expect(reading).toMatchObject({
      kind: 'open',
      conversation: { mediaType: 'chat', participants: 3, state: 'acw', ...agent },
    })
  })
})
