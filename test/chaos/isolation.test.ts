import { sql } from 'kysely'
import { expect, test } from 'vitest'
import { startFakeServer } from '../support/fake-server.ts'
import { connectTestOrg, type TestOrg } from '../support/simulated-org.ts'
import { expectEqual, longPatience, startActiveOrg, startService, type Service } from './service.ts'

test('a failure of one job does not affect the others', async () => {
  await using org = await startActiveOrg()
  await using it = await connectTestOrg(org)
  // accepts every message and never answers
  await using receiver = await startFakeServer(() => {})
  const client = org.control.clients.get(org.clientId)!
  client.permissions.delete('analytics:queueObservation:view')
  await using service = await startService(org, it.databaseUrl, {
    // in turn, so that each job fails and recovers by itself
    HISTORY_CRON: '*/2 * * * * *',
    INTRADAY_CRON: '1-59/2 * * * * *',
    WEBHOOK_URL: receiver.url,
    WEBHOOK_SECRET: Buffer.alloc(32, 7).toString('base64'),
    WEBHOOK_EVENTS: 'ivr,waiting,interacting,other,ended',
  })

  // without the permission for queue observations there are no counts of users, and everything else works
  await service.waitUntilHealthy()
  expect(service.process.stderr()).toContain('Grant analytics:queueObservation:view')
  const { rows } = await sql`
    select 1 from genesys.live_queues where on_queue_users is not null or off_queue_users is not null`.execute(
    it.warehouse.db,
  )
  expect(rows).toEqual([])

  // a receiver that never answers delays no snapshot
  org.control.changes.begin('chat')
  await receiver.received(1)
  await doneAgain(service, 'live')

  // live cannot write: history continues
  await failWrites(it, 'genesys.live_conversations')
  org.control.changes.begin('message')
  await expect.poll(async () => (await service.status()).live?.failure?.error ?? '', longPatience).toContain('writing')
  const broken = await service.status()
  expect(await service.problems()).toContain('The last snapshot failed')
  await Promise.all([doneAgain(service, 'sync'), doneAgain(service, 'intraday')])
  expect((await service.status()).live?.snapshotAt).toBe(broken.live?.snapshotAt)
  await allowWrites(it, 'genesys.live_conversations')
  await doneAgain(service, 'live')

  // history cannot write: live continues
  await failWrites(it, 'genesys.participants')
  const conversation = org.control.changes.begin('email')
  await expect.poll(() => service.problems(), longPatience).toContain('intraday has failed')
  expect((await service.status()).state).toBe('failing')
  const isShown = async () =>
    (
      await sql`select 1 from genesys.live_conversations where conversation_id = ${conversation}`.execute(
        it.warehouse.db,
      )
    ).rows.length
  await expect.poll(isShown, longPatience).toBe(1)
  await doneAgain(service, 'live')
  await allowWrites(it, 'genesys.participants')
  await service.waitUntilHealthy()
  await expectEqual(it.warehouse, org)

  // a delivery in progress ends at its deadline of some seconds
  await service.stop()
})

/** Resolves when a job has succeeded once more. */
async function doneAgain(service: Service, name: string): Promise<void> {
  const last = async () => {
    const { jobs = [], live } = await service.status()
    return String(name === 'live' ? live?.snapshotAt : jobs.find(({ job }) => job === name)?.lastSuccessAt)
  }
  const before = await last()
  await expect.poll(last, { ...longPatience, message: `${name} continues` }).not.toBe(before)
}

async function failWrites(it: TestOrg, table: string): Promise<void> {
  await sql
    .raw(
      `create or replace function public.fail() returns trigger language plpgsql as $$ begin
         raise insufficient_privilege using message = 'made up'; end $$;
       create trigger fail before insert on ${table} for each row execute function public.fail()`,
    )
    .execute(it.warehouse.db)
}

async function allowWrites(it: TestOrg, table: string): Promise<void> {
  await sql.raw(`drop trigger fail on ${table}`).execute(it.warehouse.db)
}
