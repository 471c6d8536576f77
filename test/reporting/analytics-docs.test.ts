/**
 * Runs every query of the README, docs/analytics.md and docs/bi-tools.md over a simulated organization, as the role that it is for, and compares the
 * answers to its questions with numbers that are computed from the organization's records alone.
 */
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { sql } from 'kysely'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { recordWindow } from '../../src/history/ledger.ts'
import { addDays, startOfDay } from '../../src/model/interval.ts'
import { migrateUp } from '../../src/postgres/migrate.ts'
import { readReference } from '../../src/reference/read-reference.ts'
import { recomputeDirtyHours } from '../../src/reporting/rollups.ts'
import { conversation, load } from '../loader/conversations.ts'
import { waitForClearDay } from '../support/midnight.ts'
import { connectTestOrg, startOrg, type TestOrg } from '../support/simulated-org.ts'
import {
  countOf,
  customerAddress,
  eventsOf,
  grouped,
  percentile,
  queueEntries,
  readContact,
  secondsOf,
  segmentsOf,
  sumOf,
  type Contact,
  type Event,
} from './question-numbers.ts'

// the day must not change between the records and the queries
await sleep(waitForClearDay(Date.now()))

const DAYS = 21
const now = new Date()
const today = startOfDay(now)
const daysAgo = (age: number): Date => addDays(today, -age)

interface Block {
  readonly heading: string
  readonly query: string
}
const blocks = ['README.md', 'docs/analytics.md', 'docs/bi-tools.md'].flatMap((file): Block[] => {
  const text = readFileSync(path.join(import.meta.dirname, '..', '..', file), 'utf8')
  return text.split(/^#+ /m).flatMap((section) => {
    const heading = section.split('\n', 1)[0] ?? ''
    return [...section.matchAll(/```sql\n(.*?)```/gs)].map(([, query = '']) => ({ heading, query: query.trim() }))
  })
})

const org = await startOrg({ now, days: DAYS, perDay: 40, malformedShare: 0, seed: 5 })
let loaded: TestOrg
let contacts: Contact[]
/** Names of queues, users, wrap-up codes and campaigns by id. */
const names = new Map<string, string>()
let ownRole: string
let restrictedRole: string

beforeAll(async () => {
  loaded = await connectTestOrg(org)
  const { warehouse } = loaded
  await loaded.backfill({ start: daysAgo(DAYS), end: today })
  await loaded.run({ job: 'intraday' })
  const more = [...repeatCallers(), waitingMail('mail-old', 50), waitingMail('mail-new', 3), ...nightMails()]
  await load(warehouse, more, 1)
  contacts = [...org.truth(), ...more].map(readContact)
  await using dependencies = loaded.dependencies()
  await readReference(dependencies, { trigger: 'manual' }, new AbortController().signal)
  await recomputeDirtyHours(warehouse)
  await leaveAndSettle()
  for (const list of ['queues', 'users', 'wrap_up_codes', 'campaigns']) {
    const { rows } = await sql<{ id: string; name: string }>`
      select id, name from ${sql.table(`genesys.dim_${list}`)}`.execute(warehouse.db)
    for (const { id, name } of rows) names.set(id, name)
  }
  ;[ownRole, restrictedRole] = await makeRoles()
}, 300_000)
afterAll(async () => {
  for (const role of [ownRole, restrictedRole])
    await sql.raw(`drop owned by ${role}; drop role ${role}`).execute(loaded.warehouse.db)
  await loaded[Symbol.asyncDispose]()
  await org.close()
})

/** Answered calls of three customers: again after two days and again after ten, again after eight days, once. */
function repeatCallers() {
  const calls = [
    ['+1 555 0100', 20],
    ['tel:+15550100', 18],
    ['+15550100', 8],
    ['+15550101', 19],
    ['+15550101', 11],
    ['+15550102', 15],
  ] as const
  return calls.map(([ani, age], index) => {
    const at = new Date(+daysAgo(age) + 10 * 3_600_000).toISOString()
    const session = { mediaType: 'voice', direction: 'inbound', ani }
    const metrics = ['nOffered', 'tAcd'].map((name) => ({
      name,
      value: name === 'nOffered' ? 1 : 400_000,
      emitDate: at,
    }))
    const segments = [{ segmentType: 'interact', segmentStart: at, segmentEnd: at, queueId: 'queue-of-repeaters' }]
    return conversation(`repeated-${index}`, {
      conversationStart: at,
      conversationEnd: at,
      originatingDirection: 'inbound',
      participants: [
        {
          purpose: 'customer',
          sessions: [{ ...session, segments: [{ ...segments[0]!, queueId: null }], metrics: [] }],
        },
        { purpose: 'acd', sessions: [{ ...session, segments, metrics }] },
        {
          purpose: 'agent',
          userId: 'user-of-repeaters',
          sessions: [{ ...session, segments, metrics: [{ name: 'tAnswered', value: 400_000, emitDate: at }] }],
        },
      ],
    })
  })
}

/** At any hour there is something of today, and of that hour a week ago. */
function nightMails() {
  return [today, daysAgo(7)].map((day, index) =>
    waitingMail(`mail-at-night-${index}`, (+now - +day - 30_000) / 3_600_000),
  )
}

/** An e-mail that came some hours ago and is still in its queue. */
function waitingMail(id: string, hoursAgo: number) {
  const at = new Date(+now - hoursAgo * 3_600_000).toISOString()
  const session = { mediaType: 'email', direction: 'inbound', addressFrom: 'someone@example.com' }
  const segments = [{ segmentType: 'interact', segmentStart: at, queueId: 'queue-of-mail' }]
  return conversation(id, {
    conversationStart: at,
    conversationEnd: null,
    originatingDirection: 'inbound',
    participants: [
      { purpose: 'customer', sessions: [{ ...session, segments, metrics: [] }] },
      { purpose: 'acd', sessions: [{ ...session, segments, metrics: [{ name: 'nOffered', value: 1, emitDate: at }] }] },
    ],
  })
}

/** A day that had no conversation is settled, and a corrected start leaves the old one. */
async function leaveAndSettle(): Promise<void> {
  const { db } = loaded.warehouse
  const key = { stream: 'conversations', source: 'query', filter: {} } as const
  const start = daysAgo(60)
  await recordWindow(db, { ...key, start, end: addDays(start, 1), status: 'done', hits: 0, runId: null })
  await load(loaded.warehouse, [conversation('moved', { conversationStart: '2026-02-04T10:00:00.000Z' })], 1)
  await load(loaded.warehouse, [conversation('moved', { conversationStart: '2026-02-05T10:00:00.000Z' })], 2)
}

/** A reader with plain rights on both schemas, and one without personal columns. */
async function makeRoles(): Promise<[string, string]> {
  const { db } = loaded.warehouse
  const { rows } = await sql<{ name: string }>`select current_database() as name`.execute(db)
  const [own, restricted] = [`own_${rows[0]!.name}`, `restricted_${rows[0]!.name}`]
  await sql
    .raw(
      `create role ${own}; create role ${restricted}; grant usage on schema genesys, reporting to ${own}, ${restricted};
       grant select on all tables in schema reporting to ${own}, ${restricted}; grant select on all tables in schema genesys to ${own}`,
    )
    .execute(db)
  await sql`insert into etl.restricted_readers (role_name) values (${restricted})`.execute(db)
  await migrateUp(db)
  return [own, restricted]
}

type Row = Record<string, unknown>

async function rowsOf(query: string, role: string): Promise<Row[]> {
  return await loaded.warehouse.db.transaction().execute(async (trx) => {
    await sql.raw(`set local role ${role}`).execute(trx)
    return (await sql.raw<Row>(query).execute(trx)).rows
  })
}

/** The question's first query, as rows of a reader who sees everything. */
async function answer(heading: string): Promise<Row[]> {
  const block = blocks.find((each) => each.heading === heading)
  expect(block, heading).toBeDefined()
  return await rowsOf(block!.query, ownRole)
}

/** The numbers of a row, those that are no whole ones rounded to what a double keeps through sums in another order. */
function rounded(rows: readonly Row[]): unknown {
  const plain = (value: unknown): unknown => {
    const number =
      typeof value === 'bigint' || (typeof value === 'string' && /^-?\d+(\.\d+)?$/.test(value)) ? Number(value) : value
    return typeof number === 'number'
      ? Number(number.toPrecision(10))
      : number instanceof Date
        ? number.toISOString()
        : number
  }
  return rows
    .map((row) => JSON.stringify(Object.fromEntries(Object.entries(row).map(([key, value]) => [key, plain(value)]))))
    .toSorted((a, b) => (a < b ? -1 : 1))
}

async function expectAnswer(heading: string, expected: readonly Row[]): Promise<void> {
  expect(expected.length, 'rows to compare').toBeGreaterThan(0)
  expect(rounded(await answer(heading))).toEqual(rounded(expected))
}

const nameOf = (id: string | null): string | null => (id === null ? null : (names.get(id) ?? id))
const ratio = (numerator: number, denominator: number): number | null =>
  denominator === 0 ? null : numerator / denominator
const lastWeek = (): Event[] => eventsOf(contacts, daysAgo(7), today)
/** Groups by queue and media type that have something of these metrics. */
const byQueueAndMedia = (metric: string): [Event[], string | null, string | null][] =>
  grouped(lastWeek(), ({ queueId, mediaType }) => JSON.stringify([queueId, mediaType])).flatMap(([key, events]) => {
    const [queueId, mediaType] = JSON.parse(key!) as [string | null, string | null]
    return countOf(events, metric) > 0 ? [[events, queueId, mediaType] as [Event[], string | null, string | null]] : []
  })

describe('every query', () => {
  test('is there', () => expect(blocks.length).toBeGreaterThan(25))

  test.each(blocks)('runs and has rows, also without personal columns: $heading', async ({ query }) => {
    if (query.startsWith('update')) {
      await sql.raw(query).execute(loaded.warehouse.db)
      await sql`update reporting.settings set time_zone = 'UTC', first_day_of_week = 1`.execute(loaded.warehouse.db)
      return
    }
    const rows = await rowsOf(query, ownRole)
    expect(rows.length).toBeGreaterThan(0)
    const masked = await rowsOf(query, restrictedRole)
    // what is found by the address of the customer has no rows then
    expect(masked.length).toBe(query.includes('customer_address') ? 0 : rows.length)
  })

  test('of a question has at most eight lines', () => {
    const questions = readFileSync(path.join(import.meta.dirname, '..', '..', 'docs', 'analytics.md'), 'utf8')
      .split('## Questions')[1]!
      .split(/^## /m)[0]!
    const lengths = [...questions.matchAll(/```sql\n(.*?)```/gs)].map(
      ([, query = '']) => query.trim().split('\n').length,
    )
    expect(lengths.length).toBeGreaterThan(18)
    expect(Math.max(...lengths)).toBeLessThanOrEqual(8)
  })
})

describe('the answers equal the records', () => {
  test('offered, answered, abandoned by half hour', async () => {
    const events = eventsOf(contacts, daysAgo(1), today).filter(({ queueId }) => queueId !== null)
    const halfHour = 1_800_000
    const cells = grouped(events, ({ at, queueId }) => JSON.stringify([Math.floor(+at / halfHour), queueId]))
    const expected = cells.map(([key, group]) => {
      const [slot, queueId] = JSON.parse(key!) as [number, string]
      return {
        interval_start: new Date(slot * halfHour),
        queue_name: nameOf(queueId),
        offered: sumOf(group, 'nOffered'),
        answered: countOf(group, 'tAnswered'),
        abandoned: countOf(group, 'tAbandon'),
      }
    })
    const isSomething = ({ offered, answered, abandoned }: Row): boolean =>
      Number(offered) + Number(answered) + Number(abandoned) > 0
    const ours = await answer('Offered, answered and abandoned by queue and half hour')
    expect(expected.filter(isSomething).length).toBeGreaterThan(10)
    expect(rounded(ours.filter(isSomething))).toEqual(rounded(expected.filter(isSomething)))
  })

  test('service level', async () => {
    const queues = grouped(lastWeek(), ({ queueId }) => queueId).filter(([id]) => id !== null)
    const expected = queues.map(([queueId, events]) => {
      const [answered, missed] = [countOf(events, 'tAnswered'), sumOf(events, 'nOverSla')]
      const all = answered + countOf(events, 'tAbandon') - countOf(events, 'tShortAbandon')
      return { queue_name: nameOf(queueId), answered, missed, service_level: ratio(answered - missed, all) }
    })
    await expectAnswer('Service level', expected)
  })

  test('average speed of answer, and average handle time', async () => {
    await expectAnswer(
      'Average speed of answer',
      byQueueAndMedia('tAnswered').map(([events, queueId, mediaType]) => ({
        queue_name: nameOf(queueId),
        media_type: mediaType,
        asa_seconds: secondsOf(events, 'tAnswered'),
        longest_seconds: Math.floor(
          Math.max(...events.map(({ name, value }) => (name === 'tAnswered' ? value : 0))) / 1000,
        ),
      })),
    )
    await expectAnswer(
      'Average handle time',
      byQueueAndMedia('tHandle').map(([events, queueId, mediaType]) => ({
        queue_name: nameOf(queueId),
        media_type: mediaType,
        handled: countOf(events, 'tHandle'),
        aht_seconds: secondsOf(events, 'tHandle'),
      })),
    )
  })

  test('talk, hold and after-call work', async () => {
    const media = grouped(lastWeek(), ({ mediaType }) => mediaType).filter(
      ([, events]) => countOf(events, 'tHandle') > 0,
    )
    await expectAnswer(
      'Average talk, hold and after-call work',
      media.map(([mediaType, events]) => ({
        media_type: mediaType,
        talk_seconds: secondsOf(events, 'tTalkComplete'),
        hold_seconds: secondsOf(events, 'tHeldComplete'),
        acw_seconds: secondsOf(events, 'tAcw'),
        hold_seconds_per_handled: sumOf(events, 'tHeldComplete') / countOf(events, 'tHandle') / 1000,
      })),
    )
  })

  test('transfers, and the scorecard of agents', async () => {
    const queues = grouped(lastWeek(), ({ queueId }) => queueId).filter(([id]) => id !== null)
    await expectAnswer(
      'Transfers',
      queues.map(([queueId, events]) => ({
        queue_name: nameOf(queueId),
        handled: countOf(events, 'tHandle'),
        blind: sumOf(events, 'nBlindTransferred'),
        consult: sumOf(events, 'nConsultTransferred'),
        transfer_rate: ratio(sumOf(events, 'nTransferred'), countOf(events, 'tHandle')),
      })),
    )
    const users = grouped(lastWeek(), ({ userId }) => userId).filter(([id]) => id !== null)
    const ours = await answer('Agent scorecard')
    const expected = users.map(([userId, events]) => ({
      user_name: nameOf(userId),
      answered: countOf(events, 'tAnswered'),
      handled: countOf(events, 'tHandle'),
      aht: secondsOf(events, 'tHandle'),
      talk: secondsOf(events, 'tTalkComplete'),
      acw: secondsOf(events, 'tAcw'),
      transfer_rate: ratio(sumOf(events, 'nTransferred'), countOf(events, 'tHandle')),
      not_responding: countOf(events, 'tNotResponding'),
    }))
    const isActive = ({ answered, handled, not_responding: missed }: Row): boolean =>
      Number(answered) + Number(handled) + Number(missed) > 0
    const withoutTeam = ours.map(({ team_name: _team, ...row }) => row)
    expect(rounded(withoutTeam.filter(isActive))).toEqual(rounded(expected.filter(isActive)))
    expect(ours.some(({ team_name: team }) => team !== null)).toBe(true)
  })

  test('wrap-up codes', async () => {
    const begun = contacts.filter(({ start }) => start >= daysAgo(7) && start < today)
    const wrapUps = begun.flatMap(({ sessions }) => sessions).flatMap((session) => segmentsOf(session, 'wrapup'))
    const queues = grouped(wrapUps, ({ queueId }) => queueId)
    const expected = queues.flatMap(([queueId, all]) =>
      grouped(all, ({ wrapUpCode }) => wrapUpCode).map(([code, some]) => ({
        queue_name: nameOf(queueId),
        wrap_up_code_name: nameOf(code),
        wrap_ups: some.length,
        share: some.length / all.length,
      })),
    )
    await expectAnswer('Wrap-up codes by queue, with their names', expected)
  })

  test('long waits, and percentiles of waits', async () => {
    const entries = contacts.flatMap((contact) =>
      queueEntries(contact).map((entry) => ({ ...entry, contact, isAnswered: isAnswered(contact, entry) })),
    )
    const long = entries.filter(({ waitSeconds, contact }) => Number(waitSeconds) > 300 && contact.start >= daysAgo(7))
    const ours = await answer('Waits of more than five minutes')
    expect(long.length).toBeGreaterThan(5)
    const columns = ({ conversation_id, queue_name, entered_at, wait_seconds }: Row): Row => ({ conversation_id, queue_name, entered_at, wait_seconds }) // prettier-ignore
    expect(rounded(ours.map(columns))).toEqual(
      rounded(
        long
          .toSorted((a, b) => Number(b.waitSeconds) - Number(a.waitSeconds))
          .slice(0, 100)
          .map(({ contact, queueId, enteredAt, waitSeconds }) => ({
            conversation_id: contact.id,
            queue_name: nameOf(queueId),
            entered_at: enteredAt,
            wait_seconds: waitSeconds,
          })),
      ),
    )
    const answered = entries.filter(
      ({ isAnswered: yes, contact: { start } }) => yes && start >= daysAgo(7) && start < today,
    )
    await expectAnswer(
      'Percentiles of waits',
      grouped(answered, ({ queueId, session }) => JSON.stringify([queueId, session.mediaType])).map(([key, some]) => {
        const [queueId, mediaType] = JSON.parse(key!) as [string, string]
        const waits = some.flatMap(({ waitSeconds }) => waitSeconds ?? [])
        return {
          queue_name: nameOf(queueId),
          media_type: mediaType,
          answered: some.length,
          p50_seconds: percentile(waits, 0.5),
          p90_seconds: percentile(waits, 0.9),
        }
      }),
    )
  })

  test('repeat callers and first-contact resolution', async () => {
    const inbound = contacts
      .filter(({ start, direction }) => start >= daysAgo(28) && direction === 'inbound')
      .flatMap((contact) => {
        const address = customerAddress(contact)
        return address === null ? [] : [{ contact, address }]
      })
    const week = 7 * 86_400_000
    const older = inbound.filter(({ contact }) => contact.start < daysAgo(7))
    const isRepeated = ({ contact, address }: (typeof inbound)[number]): boolean =>
      inbound.some(
        (other) =>
          other.address === address &&
          other.contact.start > contact.start &&
          +other.contact.start - +contact.start < week,
      )
    await expectAnswer(
      'Repeat callers within seven days',
      grouped(older, ({ contact }) => nameOf(queueEntries(contact)[0]?.queueId ?? null)).map(([name, some]) => ({
        first_queue_name: name,
        calls: some.length,
        called_again: some.filter(isRepeated).length,
      })),
    )
    expect(older.filter(isRepeated).map(({ contact }) => contact.id)).toContain('repeated-0')
    const answered = older.filter(({ contact }) => eventsIn(contact).some(({ name }) => name === 'tAnswered'))
    await expectAnswer(
      'First-contact resolution, as a proxy',
      grouped(answered, ({ contact }) => nameOf(queueEntries(contact).at(-1)?.queueId ?? null)).map(([name, some]) => ({
        last_queue_name: name,
        answered: some.length,
        resolved_share:
          some.filter((each) => !isRepeated(each) && sumOf(eventsIn(each.contact), 'nTransferred') === 0).length /
          some.length,
      })),
    )
  })

  test('the backlog of e-mail', async () => {
    const waiting = contacts
      .flatMap(queueEntries)
      .filter(({ session, isOpen, leftAt }) => session.mediaType === 'email' && isOpen && leftAt === null)
    await expectAnswer(
      'E-mail backlog',
      grouped(waiting, ({ queueId }) => queueId).map(([queueId, some]) => ({
        queue_name: nameOf(queueId),
        waiting: some.length,
        oldest: new Date(Math.min(...some.map(({ enteredAt }) => +enteredAt))),
        older_than_a_day: some.filter(({ enteredAt }) => +enteredAt < Date.now() - 86_400_000).length,
      })),
    )
  })

  test('the contact rate of campaigns, and containment in the IVR', async () => {
    const campaigns = grouped(lastWeek(), ({ campaignId }) => campaignId).filter(([id]) => id !== null)
    await expectAnswer(
      'Contact rate of campaigns',
      campaigns.map(([id, events]) => {
        const dialed = sumOf(events, 'nOutboundAttempted')
        const isAny = countOf(events, 'nOutboundAttempted') > 0
        return {
          campaign: nameOf(id),
          dialed: isAny ? dialed : null,
          contact_rate: isAny ? ratio(sumOf(events, 'nOutboundConnected'), dialed) : null,
        }
      }),
    )
    const inIvr = contacts.filter(
      (contact) => contact.start >= daysAgo(7) && contact.start < today && sumOf(eventsIn(contact), 'tIvr') > 0,
    )
    const days = grouped(inIvr, ({ start }) => start.toISOString().slice(0, 10))
    const ours = await answer('Containment in the IVR')
    expect(rounded(ours.map(({ in_ivr, contained_share }) => ({ in_ivr, contained_share })))).toEqual(
      rounded(
        days.map(([, some]) => ({
          in_ivr: some.length,
          contained_share: some.filter((contact) => queueEntries(contact).length === 0).length / some.length,
        })),
      ),
    )
  })

  test('concurrent calls by minute', async () => {
    const minutes = new Map<number, Set<string>>()
    for (const { id, sessions } of contacts) {
      for (const session of sessions) {
        if (!/^(?:agent|user)$/.test(session.purpose) || session.mediaType !== 'voice') continue
        const [first] = segmentsOf(session, 'interact')
        const talk = sumOf(session.events, 'tTalkComplete') + sumOf(session.events, 'tHeldComplete')
        if (!first || countOf(session.events, 'tTalkComplete') === 0) continue
        for (let at = Math.floor(+first.start / 60_000) + 1; at * 60_000 <= +first.start + talk; at++)
          minutes.set(at, (minutes.get(at) ?? new Set()).add(id))
      }
    }
    const expected = [...minutes]
      .map(([at, ids]) => ({ minute: new Date(at * 60_000), calls: ids.size }))
      .filter(({ minute }) => minute >= daysAgo(1) && minute < today)
    await expectAnswer('Concurrent calls by minute', expected)
  })

  test('today against the same weekday', async () => {
    const offeredBy = (from: Date, to: Date, hour: number): number =>
      sumOf(
        eventsOf(contacts, from, to).filter(({ at }) => at.getUTCHours() === hour),
        'nOffered',
      )
    const ours = await answer('Today against the same weekday')
    const total = ours.reduce((sum, row) => sum + Number(row['today']), 0)
    expect(total).toBe(sumOf(eventsOf(contacts, today, now), 'nOffered'))
    for (const { hour, today: ofToday, a_week_ago: before } of ours) {
      expect(Number(ofToday), `hour ${String(hour)}`).toBe(offeredBy(today, now, Number(hour)))
      // the last hour is cut at the present minute, in quarter hours
      if (Number(hour) < now.getUTCHours())
        expect(Number(before), `hour ${String(hour)}`).toBe(offeredBy(daysAgo(7), daysAgo(6), Number(hour)))
    }
  })
})

const eventsIn = ({ sessions }: Contact): Event[] => sessions.flatMap(({ events }) => events)

/** Whether an agent answered when the entry left the queue, or was in its queue next. */
function isAnswered(contact: Contact, { leftAt, session }: ReturnType<typeof queueEntries>[number]): boolean {
  const isLost = session.events.some(({ name }) => ['tAbandon', 'tShortAbandon', 'tFlowOut'].includes(name))
  return (
    !isLost &&
    leftAt !== null &&
    eventsIn(contact).some(({ name, at }) => name === 'tAnswered' && Math.abs(+at - +leftAt) <= 1000)
  )
}
