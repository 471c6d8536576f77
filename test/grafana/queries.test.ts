/** Runs every query of the dashboards as Grafana sends it, with the rights of a reader, on what was loaded from the simulator. */
import { sql } from 'kysely'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { readReference } from '../../src/reference/read-reference.ts'
import { recomputeDirtyHours } from '../../src/reporting/rollups.ts'
import { createFileDatabase } from '../support/database.ts'
import { connectTestOrg, orgNow, startOrg, type TestOrg } from '../support/simulated-org.ts'
import { dashboards, expand, type Chosen, type Panel, type Variable } from './dashboards.ts'

const DAY_MS = 86_400_000
const to = new Date(orgNow)
/** Of the dashboards; a week before is loaded, too. */
const range = { from: new Date(+to - 2 * DAY_MS), to }

const org = await startOrg({ days: 10, perDay: 80 })
const database = await createFileDatabase()
const role = `reader_${database.name}`
let it: TestOrg
beforeAll(async () => {
  it = await connectTestOrg(org, database)
  await it.backfill({ start: new Date('2025-06-03T00:00:00Z'), end: new Date('2025-06-13T00:00:00Z') })
  await using dependencies = it.dependencies()
  await readReference(dependencies, { trigger: 'manual' }, new AbortController().signal)
  await recomputeDirtyHours(it.warehouse)
  await sql
    .raw(
      `create role ${role}; grant usage on schema reporting to ${role}; grant select on all tables in schema reporting to ${role}`,
    )
    .execute(it.warehouse.db)
})
afterAll(async () => {
  await sql.raw(`drop owned by ${role}; drop role ${role}`).execute(it.warehouse.db)
  await it[Symbol.asyncDispose]()
  await org.close()
})

/** Kinds of columns by the numbers of the types of Postgres. */
const KINDS: Readonly<Record<number, 'time' | 'number' | 'text' | 'boolean'>> = {
  16: 'boolean',
  20: 'number',
  21: 'number',
  23: 'number',
  25: 'text',
  701: 'number',
  1184: 'time',
  1700: 'number',
}

interface Answer {
  readonly rows: readonly Record<string, unknown>[]
  /** In their order; undefined: a type that Grafana cannot show. */
  readonly columns: readonly (readonly [name: string, kind: string | undefined])[]
}

async function ask(query: string): Promise<Answer> {
  const client = await it.warehouse.pool.connect()
  try {
    await client.query(`begin; set local role ${role}`)
    const { rows, fields } = await client.query<Record<string, unknown>>(query)
    return { rows, columns: fields.map(({ name, dataTypeID }) => [name, KINDS[dataTypeID]]) }
  } finally {
    await client.query('rollback')
    client.release()
  }
}

/** The query of a variable takes no other variable. */
async function valuesOf(variable: Variable): Promise<string[]> {
  const { rows, columns } = await ask(expand(variable.query, [], {}, range))
  expect(columns).toEqual([
    ['__text', 'text'],
    ['__value', 'text'],
  ])
  expect(rows.length, variable.name).toBeGreaterThan(1)
  return rows.map((row) => String(row['__value']))
}

/** A conversation of which every panel has something to show. */
async function richConversation(): Promise<string> {
  const { rows } = await ask(`
    select conversation_id from reporting.queue_entries join reporting.agent_sessions using (conversation_id)
    join reporting.wrap_ups using (conversation_id) order by 1 limit 1`)
  return String(rows[0]?.['conversation_id'])
}

/** The variables as they are at first, and with the first one or two values of each. */
async function choices(variables: readonly Variable[]): Promise<Chosen[]> {
  const first: Record<string, 'all' | readonly string[]> = {}
  const some: Record<string, 'all' | readonly string[]> = {}
  for (const variable of variables) {
    const { name, type, multi, current } = variable
    if (type === 'query') {
      expect(multi).toBe(true)
      expect(current.value).toEqual(['$__all'])
      first[name] = 'all'
      some[name] = (await valuesOf(variable)).slice(0, 2)
    } else if (type === 'custom') {
      first[name] = [String(current.value)]
      some[name] = [variable.query.split(',')[3] ?? '']
    } else if (type === 'textbox') first[name] = some[name] = [await richConversation()]
  }
  return [first, some]
}

function kindsOf({ columns }: Answer): (string | undefined)[] {
  return columns.map(([, kind]) => kind)
}

/** What a type of panel needs: series need a time first, ascending; a large value is one number or text. */
function expectShown({ type, title, fieldConfig, targets }: Panel, answer: Answer): void {
  const kinds = kindsOf(answer)
  expect(kinds, title).not.toContain(undefined)
  expect(targets[0]?.format, title).toBe(type === 'timeseries' ? 'time_series' : 'table')
  if (type === 'timeseries') {
    const [time = ['']] = answer.columns
    expect(time[0], title).toBe('time')
    // seconds since 1970 where the macro groups
    expect(['time', 'number'], title).toContain(kinds[0])
    expect(kinds.slice(1), title).toContain('number')
    const times = answer.rows.map((row) => Number(row['time'] instanceof Date ? +row['time'] : row['time']))
    expect(times, title).toEqual(times.toSorted((a, b) => a - b))
    expect(JSON.stringify(answer.rows), title).not.toContain('"queue":null')
  }
  if (type === 'stat') expect(kinds, title).toEqual(['number'])
  for (const { matcher, properties } of fieldConfig.overrides) {
    const column = answer.columns.find(([name]) => name === matcher.options)
    expect(column, `${title}: ${matcher.options}`).toBeDefined()
    const unit = properties.find(({ id }) => id === 'unit')?.value
    if (unit !== undefined)
      expect(column?.[1], `${title}: ${matcher.options}`).toBe(unit === 'dateTimeAsIso' ? 'time' : 'number')
  }
}

const asked = [...dashboards].filter(([, { panels }]) => panels.some(({ targets }) => targets[0]?.rawSql))

test('there are dashboards of the warehouse', () => expect(asked).toHaveLength(4))

test.each(asked)('every query of %s runs for a reader and gives what its panel needs', async (_, dashboard) => {
  const variables = dashboard.templating.list
  const [first = {}, some = {}] = await choices(variables)
  for (const panel of dashboard.panels) {
    const [target] = panel.targets
    expect(panel.targets, panel.title).toHaveLength(1)
    const answer = await ask(expand(target?.rawSql ?? '', variables, first, range))
    expect(answer.rows.length, panel.title).toBeGreaterThan(0)
    if (panel.type === 'stat') expect(Object.values(answer.rows[0] ?? {}), panel.title).not.toContain(null)
    expectShown(panel, answer)
    expectShown(panel, await ask(expand(target?.rawSql ?? '', variables, some, range)))
  }
})

test('“All” gives the same numbers as a choice of every value', async () => {
  for (const [, dashboard] of asked) {
    const variables = dashboard.templating.list
    const [first = {}] = await choices(variables)
    const every: Record<string, 'all' | readonly string[]> = { ...first }
    for (const variable of variables) if (variable.type === 'query') every[variable.name] = await valuesOf(variable)
    for (const { title, targets } of dashboard.panels) {
      const query = targets[0]?.rawSql ?? ''
      // facts have agents and queues without any number, which are no choice
      if (!query.includes('_performance(')) continue
      const [all, listed] = [
        await ask(expand(query, variables, first, range)),
        await ask(expand(query, variables, every, range)),
      ]
      expect(listed.rows, title).toEqual(all.rows)
    }
  }
})

test('the offered of a week before stand at the same weekday and time, also where the clocks change', async () => {
  const { db } = it.warehouse
  const panel = dashboards.get('overview.json')?.panels.find(({ title }) => title === 'Offered a week before')
  const query = panel?.targets[0]?.rawSql ?? ''
  const variables = dashboards.get('overview.json')?.templating.list ?? []
  const chosen = { queue: 'all', media_type: 'all', granularity: ['1 hour'] } as const
  const { rows } = await ask(expand(query, variables, chosen, range))
  const before = await ask(`
    select interval_start + interval '7 days' as time, sum(offered) as "Offered a week before"
    from reporting.queue_performance('2025-06-04T12:00Z', '2025-06-06T12:00Z', '1 hour') group by 1 order by 1`)
  expect(rows).toEqual(before.rows)
  // the clocks of Berlin went back on 26 October 2025: noon there is 10:00 UTC a week before, and 11:00 UTC then
  await sql`update reporting.settings set time_zone = 'Europe/Berlin'`.execute(db)
  await sql`insert into etl.queue_intervals (interval_start, key, queue_id, media_type, offered)
    values ('2025-10-20T10:00Z', md5('clocks')::uuid, 'q', 'voice', 5)`.execute(db)
  try {
    const autumn = { from: new Date('2025-10-26T23:00:00Z'), to: new Date('2025-10-27T23:00:00Z') }
    const shifted = await ask(expand(query, variables, chosen, autumn))
    expect(shifted.rows).toEqual([
      { time: new Date('2025-10-27T11:00:00Z'), 'Offered a week before': expect.anything() },
    ])
  } finally {
    await sql`delete from etl.queue_intervals where queue_id = 'q'`.execute(db)
    await sql`update reporting.settings set time_zone = 'UTC'`.execute(db)
  }
})
