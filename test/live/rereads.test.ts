/** Conversations that have ended are read again some minutes later, whatever happens in between. */
import { sql } from 'kysely'
import { expect, test } from 'vitest'
import { json } from '../support/fake-server.ts'
import { startLiveOrg, type LiveOrg } from '../support/live-org.ts'

const never = new AbortController().signal

const rereads = async ({ warehouse }: LiveOrg): Promise<string[]> =>
  (await warehouse.db.selectFrom('etl.rereads').select('conversation_id').orderBy('conversation_id').execute()).map(
    (row) => row.conversation_id,
  )
/** Moves all re-reads ahead by some minutes. */
async function pass(org: LiveOrg, minutes: number): Promise<void> {
  await sql`update etl.rereads set due_at = due_at - make_interval(mins => ${minutes})`.execute(org.warehouse.db)
}
/** What the history has of a conversation: its wrap-up codes. */
async function wrapUpCodes(org: LiveOrg, id: string): Promise<string[]> {
  const rows = await org.warehouse.db
    .selectFrom('genesys.segments')
    .select('wrap_up_code')
    .where('conversation_id', '=', id)
    .where('wrap_up_code', 'is not', null)
    .execute()
  return rows.map((row) => row.wrap_up_code ?? '')
}
/** The closing fields of an ended conversation arrive. */
function close(org: LiveOrg, id: string, wrapUpCode = 'done'): void {
  const participants = org.held.get(id)?.record['participants'] as {
    sessions: { segments: Record<string, unknown>[] }[]
  }[]
  const segment = participants.at(-1)?.sessions[0]?.segments.at(-1)
  if (segment) segment['wrapUpCode'] = wrapUpCode
}
/** Makes the database refuse to write to a table, until the trigger `refuse` is dropped. */
async function refuse({ warehouse }: LiveOrg, table: string, writes: string): Promise<void> {
  await sql`
    create function refuse() returns trigger language plpgsql as $$
      begin raise exception 'no' using errcode = '23001'; end $$`.execute(warehouse.db)
  await sql
    .raw(`create trigger refuse before ${writes} on ${table} for each row execute function refuse()`)
    .execute(warehouse.db)
}
/** Conversations that a job has seen open, and that have ended since. */
async function ended(org: LiveOrg, ...ids: string[]): Promise<void> {
  for (const id of ids) org.begin(id, { state: 'interacting' })
  await org.job().tick(never)
  for (const id of ids) org.end(id)
}

test('fields that arrive after the end are in the history some minutes later, also after a restart', async () => {
  await using org = await startLiveOrg()
  await ended(org, 'a', 'b')
  await org.job().tick(never)
  expect(await rereads(org)).toEqual(['a', 'b'])
  const { rows } = await sql<{ minutes: number }>`
    select extract(epoch from due_at - ended_at)::double precision / 60 as minutes from etl.rereads`.execute(
    org.warehouse.db,
  )
  for (const { minutes } of rows) {
    expect(minutes).toBeGreaterThanOrEqual(5)
    expect(minutes).toBeLessThanOrEqual(8)
  }
  close(org, 'a')
  // Another job, as of a process that has just been started.
  const job = org.job()
  org.requests.length = 0
  await job.tick(never)
  expect(org.requests.filter((what) => what.startsWith('by-id'))).toEqual([])
  expect(await wrapUpCodes(org, 'a')).toEqual([])
  await pass(org, 7)
  await job.tick(never)
  expect(org.requests.filter((what) => what.startsWith('by-id'))).toEqual(['by-id 2'])
  expect(await wrapUpCodes(org, 'a')).toEqual(['done'])
  expect(await rereads(org)).toEqual([])
  await job.tick(never)
  expect(org.requests.filter((what) => what.startsWith('by-id'))).toHaveLength(1)
})

test('re-reads of a snapshot that was not written are not due until it is written', async () => {
  await using org = await startLiveOrg()
  await ended(org, 'a')
  const stop = new AbortController()
  const onLoaded = (): void => stop.abort(new Error('killed'))
  await expect(org.job({}, { onLoaded }).tick(stop.signal)).rejects.toThrow('killed')
  expect(await rereads(org)).toEqual([])
  await org.job().tick(never)
  expect(await rereads(org)).toEqual(['a'])
})

test('a re-read that was interrupted is repeated after the restart', async () => {
  await using org = await startLiveOrg()
  await ended(org, 'a')
  await org.job().tick(never)
  close(org, 'a')
  await pass(org, 7)
  const stop = new AbortController()
  org.interfere = (_request, what) => {
    if (what.startsWith('by-id')) stop.abort(new Error('stopped'))
  }
  await expect(org.job().tick(stop.signal)).rejects.toThrow('stopped')
  expect(await rereads(org)).toEqual(['a'])
  org.interfere = null
  await org.job().tick(never)
  expect(await wrapUpCodes(org, 'a')).toEqual(['done'])
  expect(await rereads(org)).toEqual([])
})

test('a re-read is deleted only after its conversation was loaded; if the deletion fails, it is repeated', async () => {
  await using org = await startLiveOrg()
  await ended(org, 'a')
  const job = org.job()
  await job.tick(never)
  close(org, 'a')
  await pass(org, 7)
  await refuse(org, 'etl.rereads', 'delete')
  expect(await job.tick(never)).not.toBeNull()
  expect(await wrapUpCodes(org, 'a')).toEqual(['done'])
  expect(await rereads(org)).toEqual(['a'])
  await sql`drop trigger refuse on etl.rereads`.execute(org.warehouse.db)
  await job.tick(never)
  expect(await rereads(org)).toEqual([])
})

test('a re-read that fails does not fail the snapshot, and stays due', async () => {
  await using org = await startLiveOrg()
  await ended(org, 'a')
  const job = org.job()
  await job.tick(never)
  await pass(org, 7)
  close(org, 'a')
  org.begin('new')
  org.interfere = (request, what) => what.startsWith('by-id') && (json(request, { message: 'no' }, 500), true)
  expect(await job.tick(never)).toMatchObject({ writes: { inserted: 1 } })
  expect(await rereads(org)).toEqual(['a'])
  org.interfere = null
  await job.tick(never)
  expect(await rereads(org)).toEqual([])
  expect(await wrapUpCodes(org, 'a')).toEqual(['done'])
})

test('a conversation that the database refuses is retried later, without blocking others', async () => {
  await using org = await startLiveOrg()
  await ended(org, 'bad')
  const job = org.job()
  await job.tick(never)
  close(org, 'bad')
  await pass(org, 7)
  await refuse(org, 'genesys.segments', 'insert or update or delete')
  expect(await job.tick(never)).not.toBeNull()
  expect(await rereads(org)).toEqual(['bad'])
  org.requests.length = 0
  await job.tick(never)
  expect(org.requests.filter((what) => what.startsWith('by-id'))).toEqual([])
  await sql`drop trigger refuse on genesys.segments`.execute(org.warehouse.db)
  await pass(org, 6)
  await job.tick(never)
  expect(await rereads(org)).toEqual([])
  expect(await wrapUpCodes(org, 'bad')).toEqual(['done'])
})

test('a narrowed history stores no re-reads of conversations outside it', async () => {
  await using org = await startLiveOrg()
  await ended(org, 'a')
  await org.job({ historyFilter: { mediaTypes: ['email'] } }).tick(never)
  expect(await org.table()).toEqual({})
  expect(await rereads(org)).toEqual([])
})

test('the re-read of an unknown or reopened conversation is deleted, and due again when it ends again', async () => {
  await using org = await startLiveOrg()
  await ended(org, 'erased', 'reopened')
  const job = org.job()
  await job.tick(never)
  await pass(org, 7)
  const erased = org.held.get('erased')
  if (erased) erased.phase = 'hidden'
  org.begin('reopened', { state: 'waiting' })
  await job.tick(never)
  expect(await rereads(org)).toEqual([])
  expect(await org.table()).toEqual({ reopened: 'waiting' })
  org.end('reopened')
  await job.tick(never)
  expect(await rereads(org)).toEqual(['reopened'])
})

test('many re-reads are sent in requests of fifty, as many per snapshot as its share allows', async () => {
  await using org = await startLiveOrg()
  await ended(org, ...Array.from({ length: 120 }, (_, i) => `c${i}`))
  await org.job().tick(never)
  await pass(org, 7)
  const counts = async (job: ReturnType<LiveOrg['job']>): Promise<[string[], number]> => {
    org.requests.length = 0
    await job.tick(never)
    return [org.requests.filter((what) => what.startsWith('by-id')).sort(), (await rereads(org)).length]
  }
  // A share of 4 requests per minute, a quarter of them for re-reads.
  expect(await counts(org.job({ requestsPerMinute: 10 }))).toEqual([['by-id 50'], 70])
  expect(await counts(org.job())).toEqual([['by-id 20', 'by-id 50'], 0])
})
