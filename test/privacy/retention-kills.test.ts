/** The job that drops personal data whose retention is over, killed again and again while the floor moves on month by month. */
import { setTimeout as sleep } from 'node:timers/promises'
import { sql } from 'kysely'
import { expect, test } from 'vitest'
import { readBack } from '../../src/loader/read-back.ts'
import { attributesHash, contentHash } from '../../src/model/content-hash.ts'
import type { JsonObject } from '../../src/model/json.ts'
import { KEEP_ALL, policyTag } from '../../src/model/personal.ts'
import { policyAt } from '../../src/model/personal-retention.ts'
import { retentionFloor } from '../../src/model/retention.ts'
import { reassemble } from '../../src/model/reassemble.ts'
import type { Warehouse } from '../../src/postgres/connect.ts'
import { selectRetention } from '../../src/privacy/personal-retention.ts'
import { recomputeDirtyHours } from '../../src/reporting/rollups.ts'
import { createRandom } from '../../src/simulator/random.ts'
import { load } from '../loader/conversations.ts'
import { environmentOf, runCli, startCli } from '../support/cli.ts'
import { expectDerived } from '../support/derived.ts'
import { stayClearOfMidnight } from '../support/midnight.ts'
import { patience } from '../support/patience.ts'
import { findValues } from '../support/personal-values.ts'
import { connectTestOrg, startOrg } from '../support/simulated-org.ts'
import { callOf } from './support.ts'

stayClearOfMidnight()

const KILLS = Number(process.env['KILLS'] ?? 8)
const PER_MONTH = 30
const random = createRandom('retention kills')
const now = new Date()
const floorOf = (months: number): string => retentionFloor(now, months).toISOString()

/** Conversations in each of so many months before the current one, with attributes; and of each month a record that cannot be loaded. */
function recordsOf(monthsAgo: number): JsonObject[] {
  const first = Date.parse(floorOf(monthsAgo))
  const calls = Array.from({ length: PER_MONTH }, (_, index) => {
    const id = `m${monthsAgo}-${index}`
    const raw = callOf(id, { ani: `Ada-${id}@example.org`, start: new Date(first + index * 60_000).toISOString() })
    const [customer, ...others] = raw['participants'] as JsonObject[]
    return { ...raw, participants: [{ ...customer, attributes: { phone: `Ada-${id}` } }, ...others] }
  })
  return [...calls, { ...calls[0], conversationId: '' }]
}

const valuesOf = (monthsAgo: number): string[] =>
  Array.from({ length: PER_MONTH }, (_, index) => `Ada-m${monthsAgo}-${index}@example.org`)

/**
 * Conversations that are stored otherwise than under the one or the other policy as a whole.
 * @param like which of them are looked at, as a pattern of ids
 */
async function halfDone({ db }: Warehouse, like: string): Promise<string[]> {
  const { rows } = await sql<{ id: string; content: string; attributes: string | null }>`
    select conversation_id as id, content_hash as content, attributes_hash as attributes from etl.conversations
    where conversation_id like ${like}`.execute(db)
  const stored = await readBack(
    db,
    rows.map(({ id }) => id),
  )
  const dropped = policyTag(policyAt({ policy: KEEP_ALL, floor: floorOf(0) }, '2012-01-01T00:00:00.000Z'))
  return rows.flatMap(({ id, content, attributes }) => {
    const raw = reassemble(stored.get(id)!)
    const isDropped = !JSON.stringify(raw).includes('Ada')
    const isWhole =
      content === contentHash(raw, isDropped ? dropped : '') && (attributes || null) === attributesHash(raw)
    return isWhole ? [] : [id]
  })
}

/** What doctor finds about the retention. */
async function retentionCheck(env: Record<string, string>): Promise<unknown> {
  const { stdout } = await runCli(['doctor', '--json'], { env })
  const { checks } = JSON.parse(stdout) as { checks: { name: string }[] }
  return checks.find(({ name }) => name === 'personal data: retention')
}

test(
  `killed at ${KILLS} points, it goes on where it was: nothing is half done, and nothing comes back`,
  { timeout: 900_000 },
  async () => {
    await using org = await startOrg({ perDay: 2 })
    await using it = await connectTestOrg(org)
    const { warehouse } = it
    for (let month = 1; month <= KILLS + 1; month++)
      await load(warehouse, recordsOf(month), 1, { deliversAttributes: true })
    // so that the first syncs need not
    await recomputeDirtyHours(warehouse)
    let killedAtWork = 0
    for (let months = KILLS; months >= 1; months--) {
      const env = { ...environmentOf(org, it.databaseUrl), PII_RETENTION_MONTHS: String(months) }
      const { rows } = await sql<{ id: number }>`select coalesce(max(id), 0) as id from etl.runs`.execute(warehouse.db)
      const child = startCli(['sync'], { env })
      const hasBegun = async (): Promise<boolean> =>
        (
          await sql<{ begun: boolean }>`
            select exists (select from etl.runs where job = 'pii-retention' and id > ${rows[0]!.id}) as begun`.execute(
            warehouse.db,
          )
        ).rows[0]!.begun
      await expect.poll(hasBegun, { ...patience, interval: 20 }).toBe(true)
      await sleep(random.int(0, 200))
      child.kill('SIGKILL')
      await child.result
      const { floor, isApplied } = await selectRetention(warehouse.db)
      expect(floor).toBe(floorOf(months))
      if (!isApplied && killedAtWork++ === 0)
        expect(await retentionCheck(env)).toMatchObject({
          verdict: 'warning',
          detail: expect.stringContaining('does not follow yet') as string,
        })
      expect(await halfDone(warehouse, `m${months + 1}-%`)).toEqual([])
      // a read that comes meanwhile drops what the job has not reached, and brings nothing back; rejected records wait for the job
      await load(warehouse, recordsOf(months + 1), 2 + KILLS - months, { deliversAttributes: true })
      const found = Object.keys(await findValues(warehouse, valuesOf(months + 1)))
      expect(found.filter((table) => isApplied || table !== 'etl.rejected_records')).toEqual([])
    }
    expect(killedAtWork).toBeGreaterThan(KILLS / 3)
    const env = { ...environmentOf(org, it.databaseUrl), PII_RETENTION_MONTHS: '1' }
    const { code, stderr } = await runCli(['sync'], { env })
    expect(code, stderr).toBe(0)
    expect(await selectRetention(warehouse.db)).toEqual({ floor: floorOf(1), isApplied: true })
    const old = Array.from({ length: KILLS }, (_, index) => valuesOf(index + 2)).flat()
    expect(await findValues(warehouse, old)).toEqual({})
    expect((await findValues(warehouse, valuesOf(1)))['genesys.sessions']).toHaveLength(PER_MONTH)
    expect(await halfDone(warehouse, 'm%')).toEqual([])
    await expectDerived(warehouse)

    // also without the variable
    const detail = expect.stringContaining(`before ${floorOf(1).slice(0, 10)}`) as string
    expect(await retentionCheck(environmentOf(org, it.databaseUrl))).toMatchObject({ verdict: 'ok', detail })
    const search = await runCli(['erase', '--dry-run', '--address', old[0]!], { env })
    expect(search.stdout).toContain('0 conversations would be erased')
    expect(search.stdout).toContain(`before ${floorOf(1).slice(0, 10)} hold no addresses`)
    const lifted = await runCli(['erase', '--accept-mix'], { env: environmentOf(org, it.databaseUrl) })
    expect(lifted.stdout).toContain('Conversations of every month may hold personal data.')
    expect(await selectRetention(warehouse.db)).toEqual({ floor: null, isApplied: true })
  },
)
