import { sql } from 'kysely'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { referenceNames, type ReferenceName } from '../../src/model/reference.ts'
import { readReference, type ReferenceSummary } from '../../src/reference/read-reference.ts'
import { SYSTEM_WRAP_UP_CODES } from '../../src/reference/system-wrap-up-codes.ts'
import { startTestOrg, type TestOrg } from '../support/simulated-org.ts'

let test_: TestOrg
beforeAll(async () => {
  test_ = await startTestOrg({ days: 1, perDay: 1 })
  await read()
})
afterAll(() => test_[Symbol.asyncDispose]())

async function read(names?: readonly ReferenceName[]): Promise<ReferenceSummary> {
  await using given = test_.dependencies()
  const request = { trigger: 'manual', ...(names && { names }) } as const
  return await readReference(given, request, new AbortController().signal)
}

interface DimRow {
  id: string
  name: string | null
  _first_seen_at: Date
  _changed_at: Date
  _deleted_at: Date | null
  _extra: Record<string, unknown> | null
}

async function rows<Row = DimRow>(table: string, where = 'true'): Promise<Row[]> {
  return (
    await sql.raw<Row>(`select * from genesys.dim_${table} where ${where} order by 1, 2`).execute(test_.warehouse.db)
  ).rows
}

async function row(table: string, id: string): Promise<DimRow> {
  const [found] = await rows(table, `id = '${id}'`)
  return found!
}

async function freshness(entity: string): Promise<{ read_at: Date; rows: number; error: string | null }> {
  const { rows } = await sql<{ read_at: Date; rows: number; error: string | null }>`
    select read_at, rows, error from reporting.freshness_reference where entity = ${entity}`.execute(test_.warehouse.db)
  return rows[0]!
}

const reference = () => test_.org.control.reference

describe('the first reading', () => {
  test('brings every list', async () => {
    const counts = await Promise.all(referenceNames.map(async (name) => [name, (await rows(name)).length] as const))
    const queues = test_.org.org.queues.length
    expect(Object.fromEntries(counts)).toEqual({
      users: 60,
      queues,
      queue_service_levels: queues * 5,
      queue_members: queues * 14,
      wrap_up_codes: 15 + Object.keys(SYSTEM_WRAP_UP_CODES).length,
      divisions: 4,
      skills: 8,
      languages: 4,
      skill_groups: 2,
      flows: 12,
      flow_outcomes: 3,
      flow_milestones: 3,
      teams: 4,
      team_members: 60,
      groups: 3,
      locations: 2,
      presence_definitions: 4,
      evaluation_forms: 2,
      survey_forms: 2,
      campaigns: 3,
      contact_lists: 3,
    })
    const { rows: fresh } = await sql<{ entity: string; rows: number; error: string | null }>`
      select entity, rows, error from reporting.freshness_reference where read_at is not null`.execute(
      test_.warehouse.db,
    )
    expect(fresh.map(({ entity }) => entity).sort()).toEqual([...referenceNames].sort())
    expect(fresh.filter(({ error }) => error !== null)).toEqual([])
    expect((await freshness('users')).rows).toBe(57)
  })

  test('fills columns, and keeps the rest', async () => {
    const [user] = await rows<Record<string, unknown>>('users', `state = 'active' and manager_id is not null`)
    const source = test_.org.org.users.find(({ id }) => id === user!['id'])!
    expect(user).toMatchObject({
      name: source.name,
      email: source.email,
      username: source.email,
      department: 'Service',
      title: 'Agent',
      manager_id: test_.org.org.users[0]!.id,
      division_id: source.divisionId,
      _extra: { version: 3 },
      _deleted_at: null,
    })
    const presences = await rows<Record<string, unknown>>('presence_definitions')
    expect(presences.map(({ name }) => String(name)).sort()).toEqual(['Available', 'Break', 'Lunch', 'On Queue'])
    const [campaign] = await rows<Record<string, unknown>>('campaigns')
    expect(campaign).toMatchObject({
      campaign_status: 'on',
      dialing_mode: 'preview',
      contact_list_id: expect.any(String),
    })
    const [queue] = await rows<Record<string, unknown>>('queues')
    expect(Object.keys(queue!['_extra'] as object)).toEqual(['mediaSettings'])
  })

  test('marks what Genesys lists as deleted, and names codes of the system', async () => {
    const deleted = await rows('users', `_deleted_at is not null`)
    expect(deleted.map(({ id }) => id).sort()).toEqual(
      test_.org.org.users.flatMap(({ id, state }) => (state === 'deleted' ? [id] : [])).sort(),
    )
    expect(deleted.every(({ name }) => name !== null)).toBe(true)
    expect(await row('wrap_up_codes', 'ININ-OUTBOUND-NO-ANSWER')).toMatchObject({
      name: 'Outbound: no answer',
      is_system: true,
      _deleted_at: null,
    })
  })
})

test('a second reading of the same content writes nothing', async () => {
  const versions = async () => {
    const { rows } = await sql
      .raw<{ x: string }>(
        referenceNames
          .map((name) => `select '${name}' || ctid::text || xmin::text as x from genesys.dim_${name}`)
          .join(' union all '),
      )
      .execute(test_.warehouse.db)
    return rows.map(({ x }) => x).sort()
  }
  const before = await versions()
  const { counts } = await read()
  expect(counts).toEqual({ lists: 20, failed: 0, written: 0 })
  expect(await versions()).toEqual(before)
})

test('a renamed queue gets its new name, and nothing else is written', async () => {
  const [queue] = test_.org.org.queues
  const before = await row('queues', queue!.id)
  reference().change('queues', queue!.id, { name: 'Renamed' })
  expect((await read()).counts.written).toBe(1)
  const after = await row('queues', queue!.id)
  expect(after.name).toBe('Renamed')
  expect(after._first_seen_at).toEqual(before._first_seen_at)
  expect(+after._changed_at).toBeGreaterThan(+before._changed_at)
})

test('a division that is renamed does not rewrite what belongs to it', async () => {
  const [division] = test_.org.org.divisions
  reference().change('divisions', division!.id, { name: 'Headquarters' })
  for (const { id } of test_.org.org.users.slice(0, 5))
    reference().change('users', id, { division: { id: division!.id, name: 'Headquarters' } })
  await read()
  reference().change('users', test_.org.org.users[0]!.id, { division: { id: division!.id, name: 'Main office' } })
  expect((await read()).counts.written).toBe(0)
})

describe('deleted', () => {
  test('users and flows stay in their list as such, are marked, and keep their name', async () => {
    const user = test_.org.org.users[1]!
    const flow = test_.org.org.flows[1]!
    reference().delete('users', user.id)
    reference().delete('flows', flow.id)
    await read(['users', 'flows'])
    expect(await row('users', user.id)).toMatchObject({
      name: user.name,
      state: 'deleted',
      _deleted_at: expect.any(Date),
    })
    expect(await row('flows', flow.id)).toMatchObject({ name: flow.name, deleted: true, _deleted_at: expect.any(Date) })
    const first = (await row('users', user.id))._deleted_at
    await read(['users'])
    expect((await row('users', user.id))._deleted_at).toEqual(first)
  })

  test('permanently, they are gone from their list, are marked, and keep their name', async () => {
    const user = test_.org.org.users[2]!
    reference().deletePermanently('users', user.id)
    expect((await read(['users'])).counts.written).toBe(1)
    expect(await row('users', user.id)).toMatchObject({
      name: user.name,
      state: 'active',
      _deleted_at: expect.any(Date),
    })
  })

  test('what returns loses its mark', async () => {
    for (const user of test_.org.org.users.slice(1, 3)) {
      reference().restore('users', user.id)
      await read(['users'])
      expect(await row('users', user.id)).toMatchObject({ name: user.name, state: 'active', _deleted_at: null })
    }
  })

  test('a queue takes its members and the present service levels with it, and brings them back', async () => {
    const queue = test_.org.org.queues[3]!
    reference().delete('queues', queue.id)
    await read()
    expect(await row('queues', queue.id)).toMatchObject({ name: queue.name, _deleted_at: expect.any(Date) })
    const alive = `queue_id = '${queue.id}' and _deleted_at is null`
    expect(await rows('queue_members', alive)).toEqual([])
    expect(await rows('queue_service_levels', alive)).toEqual([])
    expect(await rows('queue_service_levels', `queue_id = '${queue.id}' and _valid_to is null`)).toEqual([])
    reference().restore('queues', queue.id)
    await read()
    expect(await row('queues', queue.id)).toMatchObject({ _deleted_at: null })
    expect(await rows('queue_members', alive)).toHaveLength(14)
    expect(await rows('queue_service_levels', `${alive} and _valid_to is null`)).toHaveLength(5)
  })

  test('a queue whose members are not found any more is marked with them', async () => {
    const queue = test_.org.org.queues[4]!
    reference().deletePermanently('queues', queue.id)
    await read(['queue_members'])
    expect(await row('queues', queue.id)).toMatchObject({ name: queue.name, _deleted_at: expect.any(Date) })
    expect(await rows('queue_members', `queue_id = '${queue.id}' and _deleted_at is null`)).toEqual([])
    expect((await freshness('queue_members')).error).toBeNull()
    reference().restore('queues', queue.id)
    await read()
  })

  test('no reading marks a code of the system, and a name that is missing stays', async () => {
    const code = test_.org.org.wrapUpCodes[0]!
    reference().change('wrapUpCodes', code.id, { name: null, description: 'changed' })
    await read(['wrap_up_codes'])
    expect(await row('wrap_up_codes', code.id)).toMatchObject({ name: code.name, description: 'changed' })
    expect(await rows('wrap_up_codes', '_deleted_at is not null')).toEqual([])
  })
})

describe('service levels', () => {
  test('keep the history of a target that changes twice and is the same again', async () => {
    const queue = test_.org.org.queues[5]!
    const original = reference()
      .list('queues')
      .find(({ id }) => id === queue.id)!
    const settings = original['mediaSettings'] as Record<string, object>
    const set = async (durationMs: number) => {
      reference().change('queues', queue.id, {
        mediaSettings: { ...settings, call: { serviceLevel: { percentage: 0.8, durationMs } } },
      })
      await read(['queues'])
    }
    await set(45_000)
    await set(60_000)
    await set(60_000)
    await set(queue.serviceLevelMs.voice)
    const history = await rows<{ threshold_ms: number; target: number; _valid_from: Date; _valid_to: Date | null }>(
      'queue_service_levels',
      `queue_id = '${queue.id}' and media_type = 'voice'`,
    )
    const sorted = history.toSorted((a, b) => +a._valid_from - +b._valid_from)
    expect(sorted.map(({ threshold_ms }) => threshold_ms)).toEqual([
      queue.serviceLevelMs.voice,
      45_000,
      60_000,
      queue.serviceLevelMs.voice,
    ])
    expect(sorted.map(({ _valid_to }) => _valid_to)).toEqual([
      ...sorted.slice(1).map(({ _valid_from }) => _valid_from),
      null,
    ])
    expect(await rows('queue_service_levels', `queue_id = '${queue.id}' and media_type <> 'voice'`)).toHaveLength(4)
  })
})

describe('a reading that is not complete marks nothing as deleted', () => {
  const withMissing = async (list: 'users' | 'queues', run: () => Promise<unknown>) => {
    const { id } = list === 'users' ? test_.org.org.users[7]! : test_.org.org.queues[7]!
    reference().deletePermanently(list, id)
    test_.org.control.set({ maxPageSize: 5 })
    const { read_at } = await freshness(list)
    try {
      await run()
      expect(await row(list, id)).toMatchObject({ _deleted_at: null })
      expect((await freshness(list)).read_at).toEqual(read_at)
      return await freshness(list)
    } finally {
      test_.org.control.faults.clear()
      reference().repeatedList = null
      await read([list])
      expect(await row(list, id)).toMatchObject({ _deleted_at: expect.any(Date) })
      expect((await freshness(list)).error).toBeNull()
      reference().restore(list, id)
      test_.org.control.set({ maxPageSize: Number.POSITIVE_INFINITY })
      await read([list])
      expect(await row(list, id)).toMatchObject({ _deleted_at: null })
    }
  }

  test('403 in the middle of its pages', async () => {
    const { error } = await withMissing('users', async () => {
      test_.org.control.faults.add({ on: '/api/v2/users', kind: '403', nth: 3 })
      const { results } = await read(['users', 'queues'])
      expect(results.map(({ name, error }) => [name, error?.code])).toEqual([
        ['users', 'GENESYS_FORBIDDEN'],
        ['queues', undefined],
      ])
    })
    expect(error).toContain('403')
  })

  test('403 in the middle of the second reading', async () => {
    await withMissing('users', async () => {
      test_.org.control.faults.add({ on: '/api/v2/users', kind: '403', nth: 14 })
      await read(['users'])
    })
  })

  test('pages that repeat', async () => {
    const { error } = await withMissing('queues', async () => {
      reference().repeatedList = '/api/v2/routing/queues'
      await read(['queues'])
    })
    expect(error).toContain('repeats')
  })

  test.each(['error-200', 'html-200', 'empty-200'] as const)('answers that are none: %s', async (kind) => {
    await withMissing('queues', async () => {
      test_.org.control.faults.add({ on: '/api/v2/routing/queues', kind })
      await read(['queues'])
    })
  })
})

test('an entity that moves to an earlier page while its list is read is not marked', async () => {
  test_.org.control.set({ maxPageSize: 10 })
  const store = reference()
  const original = store.list.bind(store)
  const gone = String(original('queues')[0]!['id'])
  const moved = String(original('queues')[10]!['id'])
  let pages = 0
  store.list = (name) => {
    if (name === 'queues' && ++pages === 2) store.deletePermanently('queues', gone)
    return original(name)
  }
  await read(['queues'])
  store.list = original
  expect(pages).toBeGreaterThan(2)
  expect(await row('queues', moved)).toMatchObject({ _deleted_at: null })
  await read(['queues'])
  expect((await rows('queues', '_deleted_at is not null')).map(({ id }) => id)).toEqual([gone])
  test_.org.control.set({ maxPageSize: Number.POSITIVE_INFINITY })
  store.restore('queues', gone)
  await read()
})

test('a missing permission costs one list, and says which', async () => {
  const client = test_.org.control.clients.get(test_.org.clientId)!
  client.permissions.delete('routing:wrapupCode:view')
  try {
    const { results, counts } = await read()
    expect(counts).toMatchObject({ lists: 20, failed: 1 })
    const [failed] = results.filter(({ error }) => error)
    expect(failed).toMatchObject({
      name: 'wrap_up_codes',
      error: { code: 'GENESYS_FORBIDDEN', hint: expect.stringContaining('Grant routing:wrapupCode:view') },
    })
    expect((await freshness('wrap_up_codes')).error).toContain('routing:wrapupCode:view')
    expect(await rows('wrap_up_codes', '_deleted_at is not null')).toEqual([])
  } finally {
    client.permissions.add('routing:wrapupCode:view')
  }
  await read(['wrap_up_codes'])
  expect((await freshness('wrap_up_codes')).error).toBeNull()
})

test('what no column of Postgres holds stays readable', async () => {
  const user = test_.org.org.users[9]!
  reference().change('users', user.id, { title: `a\u0000b`, department: 7, biography: { text: 'x\u0000' } })
  await read(['users'])
  expect(await row('users', user.id)).toMatchObject({
    title: 'a\uFFFDb',
    department: null,
    _extra: { department: 7, biography: { text: 'x\uFFFD' } },
  })
})

test('a run has its row in the run history', async () => {
  const { rows } = await sql<{ status: string; counts: object; parameters: object }>`
    select status, counts, parameters from etl.runs where job = 'reference' order by id limit 1`.execute(
    test_.warehouse.db,
  )
  expect(rows[0]).toMatchObject({ status: 'done', counts: { lists: 20, failed: 0 }, parameters: {} })
})
