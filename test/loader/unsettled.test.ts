/** Which conversations may still change, through loads of every kind. */
import { sql } from 'kysely'
import { afterAll, beforeEach, expect, test } from 'vitest'
import type { JsonObject } from '../../src/model/json.ts'
import { loadBatch } from '../../src/loader/load.ts'
import { markMissing } from '../../src/loader/missing.ts'
import { createLogger } from '../../src/log.ts'
import { connect, type Warehouse } from '../../src/postgres/connect.ts'
import { deriveDue } from '../../src/reporting/walk.ts'
import { hashFraction } from '../../src/simulator/random.ts'
import { createFileDatabase, createTestDatabase } from '../support/database.ts'
import { DERIVED_TABLES } from '../support/derived.ts'
import { recomputeUnsettled, selectUnsettled } from '../support/unsettled.ts'
import { conversation } from './conversations.ts'

const database = await createFileDatabase()
const warehouse = connect(database.url)
afterAll(() => warehouse.close())
beforeEach(async () => {
  await sql
    .raw(
      `truncate genesys.conversations, etl.conversations, etl.unsettled, etl.deletions, ${DERIVED_TABLES.join(', ')}`,
    )
    .execute(warehouse.db)
})

const day = (number: number, time = '12:00:00.000'): string => `2026-03-${String(number).padStart(2, '0')}T${time}Z`

function ended(id: string, conversationEnd: string | null, more: JsonObject = {}): JsonObject {
  return conversation(id, { conversationStart: day(1), ...(conversationEnd && { conversationEnd }), ...more })
}

async function loadAt(to: Warehouse, fetchedAt: string, ...conversations: JsonObject[]) {
  const records = conversations.map((raw) => ({ conversation: raw, fetchedAt }))
  return await loadBatch(to, records, { source: 'query', runId: 1, deliversAttributes: false })
}

const ids = async (): Promise<string[]> => (await selectUnsettled(warehouse)).map(({ id }) => id)

test('a conversation may change until it was read settle_days after its end, to the microsecond', async () => {
  await loadAt(warehouse, day(2), ended('open', null), ended('young', day(2)), ended('old', day(1)))
  expect(await selectUnsettled(warehouse)).toEqual([
    { id: 'old', start: '2026-03-01 12:00:00+00', end: '2026-03-01 12:00:00+00' },
    { id: 'open', start: '2026-03-01 12:00:00+00', end: null },
    { id: 'young', start: '2026-03-01 12:00:00+00', end: '2026-03-02 12:00:00+00' },
  ])
  await loadAt(warehouse, '2026-03-05T11:59:59.999999Z', ended('old', day(1)))
  expect(await ids()).toEqual(['old', 'open', 'young'])
  await loadAt(warehouse, day(5), ended('open', null), ended('young', day(2)), ended('old', day(1)))
  expect(await ids()).toEqual(['open', 'young'])
  // what is loaded for the first time may be final at once
  await loadAt(warehouse, day(9), ended('other', day(5)))
  expect(await ids()).toEqual(['open', 'young'])
})

test('one that reopens is back, and so is one whose content changes after all only if it is young again', async () => {
  await loadAt(warehouse, day(9), ended('a', day(2)), ended('b', day(2)))
  expect(await ids()).toEqual([])
  await loadAt(warehouse, day(10), ended('a', null), ended('b', day(2), { evaluations: [{ evaluationId: 'late' }] }))
  expect(await ids()).toEqual(['a'])
  await loadAt(warehouse, day(12), ended('a', day(11)))
  expect(await selectUnsettled(warehouse)).toMatchObject([{ id: 'a', end: '2026-03-11 12:00:00+00' }])
  await loadAt(warehouse, day(15), ended('a', day(11)))
  expect(await ids()).toEqual([])
})

test('an answer that is refused as older changes nothing', async () => {
  await loadAt(warehouse, day(9), ended('a', day(2)))
  await loadAt(warehouse, day(3), ended('a', null))
  expect(await ids()).toEqual([])
})

test('reads that settle nothing write and lock no row, and keep when a conversation was last read by its id', async () => {
  await loadAt(warehouse, day(2), ended('open', null), ended('young', day(2)), ended('old', day(1)))
  await sql`update etl.unsettled set reread_at = '2026-03-02T13:00Z'`.execute(warehouse.db)
  const rows = () =>
    sql`select ctid::text, xmin::text, xmax::text, * from etl.unsettled order by 2`.execute(warehouse.db)
  const before = await rows()
  await loadAt(warehouse, day(3), ended('open', null), ended('young', day(2)), ended('old', day(1)))
  expect((await rows()).rows).toEqual(before.rows)
  await loadAt(warehouse, day(4), ended('open', day(4)))
  const { rows: after } =
    await sql`select ended_at, reread_at from etl.unsettled where conversation_id = 'open'`.execute(warehouse.db)
  expect(after).toEqual([{ ended_at: new Date(day(4)), reread_at: new Date('2026-03-02T13:00Z') }])
})

test('a corrected start is followed', async () => {
  await loadAt(warehouse, day(2), ended('a', null))
  await loadAt(warehouse, day(3), ended('a', null, { conversationStart: '2026-02-28T23:00:00.000Z' }))
  expect(await selectUnsettled(warehouse)).toEqual([{ id: 'a', start: '2026-02-28 23:00:00+00', end: null }])
})

const seeds = Array.from({ length: 3 }, (_, index) => `unsettled/${index}`)

/** What happens in a step of a sequence, by hashFraction. */
function chooser(seed: string, step: number) {
  const pick = (name: string, of: number): number => Math.floor(hashFraction(`${seed}/${step}/${name}`) * of)
  const random = (name: string): string => `c${pick(name, 8)}`
  /** Starts in two months, ends over two weeks or not, and content that differs. */
  const version = (id: string): JsonObject => {
    const end =
      pick(`end ${id}`, 4) === 0 ? null : day(1 + pick(`end day ${id}`, 14), `${10 + pick(`hour ${id}`, 12)}:00:00.000`)
    const conversationStart = pick(`start ${id}`, 5) === 0 ? '2026-02-28T12:00:00.000Z' : day(1)
    return ended(id, end, { conversationStart, evaluations: [{ evaluationId: `e${pick(`content ${id}`, 2)}` }] })
  }
  return { pick, random, version }
}

test.each(seeds)('after any sequence of loads, marks and settings the list is what is stored (%s)', async (seed) => {
  await using own = await createTestDatabase()
  await using to = connect(own.url)
  const logger = createLogger('silent')
  for (let step = 0; step < 40; step++) {
    const { pick, random, version } = chooser(seed, step)
    const at = day(1 + Math.floor(step / 2), `${10 + pick('at', 12)}:00:00.000`)
    const chosen = [...new Set(Array.from({ length: 1 + pick('number', 4) }, (_, i) => random(`id ${i}`)))]
    const action = pick('action', 10)
    if (action < 7) await loadAt(to, at, ...chosen.map(version))
    else if (action < 9) await markMissing(to.db, chosen, new Date(at))
    else {
      await sql`update reporting.settings set settle_days = ${pick('days', 8)}`.execute(to.db)
      await deriveDue({ warehouse: to, logger }, {}, new AbortController().signal)
    }
    expect(await selectUnsettled(to), `step ${step}`).toEqual(await recomputeUnsettled(to))
  }
})

test('loads, marks and a change of settle_days at the same time leave what is stored, without deadlocks', async () => {
  await using own = await createTestDatabase()
  await using to = connect(own.url)
  await using walking = connect(own.url)
  const logger = createLogger('silent')
  const worker = async (name: string): Promise<void> => {
    for (let step = 0; step < 25; step++) {
      const { pick, random, version } = chooser(`concurrent/${name}`, step)
      const at = day(1 + pick('day', 20), `${10 + pick('at', 12)}:00:00.000`)
      const chosen = [...new Set(Array.from({ length: 6 }, (_, i) => random(`id ${i}`)))]
      if (pick('action', 4) === 0) await markMissing(to.db, chosen, new Date(at))
      else await loadAt(to, at, ...chosen.map(version))
    }
  }
  const progress = { isDone: false }
  const walker = async (): Promise<void> => {
    for (let step = 0; !progress.isDone; step++) {
      await sql`update reporting.settings set settle_days = ${step % 7}`.execute(walking.db)
      await deriveDue({ warehouse: walking, logger }, {}, new AbortController().signal)
    }
  }
  const walked = walker()
  await Promise.all(['a', 'b', 'c'].map(worker))
  progress.isDone = true
  await walked
  await deriveDue({ warehouse: walking, logger }, {}, new AbortController().signal)
  expect(await selectUnsettled(to)).toEqual(await recomputeUnsettled(to))
  const { rows } = await sql<{ deadlocks: number }>`
    select deadlocks from pg_stat_database where datname = current_database()`.execute(to.db)
  expect(rows).toEqual([{ deadlocks: 0 }])
})

/** A conversation's life: versions of it, each from an instant on; the last change comes within the settle time of its end. */
interface Life {
  readonly id: string
  readonly versions: readonly { readonly from: number; readonly raw: JsonObject }[]
}

const HOUR_MS = 3_600_000
const FIRST = Date.parse(day(1))

function live(seed: string, id: string): Life {
  const pick = (name: string, of: number): number => Math.floor(hashFraction(`${seed}/${id}/${name}`) * of)
  const versions: { from: number; raw: JsonObject }[] = [{ from: FIRST, raw: ended(id, null) }]
  let at = FIRST
  for (let period = 0; period <= pick('reopens', 3); period++) {
    at += (1 + pick(`open ${period}`, 72)) * HOUR_MS
    const end = new Date(at).toISOString()
    versions.push({ from: at, raw: ended(id, end) })
    for (let change = 0; change < pick(`changes ${period}`, 3); change++) {
      // within four days of the end, exclusively
      at = Math.min(at + (1 + pick(`late ${period} ${change}`, 40)) * HOUR_MS, Date.parse(end) + 95 * HOUR_MS)
      versions.push({ from: at, raw: ended(id, end, { evaluations: [{ evaluationId: `${period}-${change}` }] }) })
    }
    // and it may be reopened at any time, even when it counts as final
    at += (1 + pick(`again ${period}`, 240)) * HOUR_MS
    if (period < pick('reopens', 3)) versions.push({ from: at, raw: ended(id, null) })
  }
  return { id, versions }
}

function asOf({ versions }: Life, at: number): JsonObject {
  return versions.findLast(({ from }) => from <= at)!.raw
}

test.each(seeds)('never final: what changes within the settle time and was not read since (%s)', async (seed) => {
  await using own = await createTestDatabase()
  await using to = connect(own.url)
  const lives = Array.from({ length: 12 }, (_, index) => live(seed, `c${index}`))
  let at = FIRST
  let finals = 0
  for (let step = 0; step < 60; step++) {
    at += (1 + Math.floor(hashFraction(`${seed}/pause/${step}`) * 16)) * HOUR_MS
    const read = lives.filter(({ id }) => hashFraction(`${seed}/read/${id}/${step}`) < 0.3)
    if (read.length > 0) await loadAt(to, new Date(at).toISOString(), ...read.map((life) => asOf(life, at)))
    const { rows } = await sql<{ id: string; end: Date; evaluations: string | null }>`
      select s.conversation_id as id, s.conversation_end as "end", max(e.evaluation_id) as evaluations
      from reporting.conversation_status s left join genesys.evaluations e using (conversation_id, conversation_start)
      where s.is_final group by 1, 2`.execute(to.db)
    for (const { id, end, evaluations } of rows) {
      finals++
      const settled = asOf(
        lives.find((life) => life.id === id)!,
        +end + 96 * HOUR_MS - 1,
      )
      expect({ id, end: end.toISOString(), evaluations }).toEqual({
        id,
        end: settled['conversationEnd'],
        evaluations: (settled['evaluations'] as JsonObject[])[0]!['evaluationId'],
      })
    }
    expect(await selectUnsettled(to)).toEqual(await recomputeUnsettled(to))
  }
  expect(finals).toBeGreaterThan(50)
})
