/** Reads the live table while snapshots replace it: every read must see one whole snapshot. */
import { sql } from 'kysely'
import { expect } from 'vitest'
import { startLiveOrg, type LiveOrg } from './live-org.ts'

const CONVERSATIONS = 60
const CHANGING = 50
const ADDED = 15

/**
 * Writes snapshots that alternate between two contents, while a reader counts the rows of the table.
 * @param snapshots how many snapshots are written
 * @param reads how many reads are made at least
 */
export async function expectConsistentReads(snapshots: number, reads: number): Promise<void> {
  await using org = await startLiveOrg()
  for (let i = 0; i < CONVERSATIONS; i++) org.begin(`c${i}`)
  const job = org.job()
  const { signal } = new AbortController()
  await job.tick(signal)
  const done = new AbortController()
  const reading = readUntil(org, done.signal, reads)
  for (let snapshot = 1; snapshot <= snapshots; snapshot++) {
    const isOdd = snapshot % 2 === 1
    changeContents(org, isOdd)
    const writes = isOdd
      ? { inserted: ADDED, updated: CHANGING, deleted: CONVERSATIONS - CHANGING }
      : { inserted: CONVERSATIONS - CHANGING, updated: CHANGING, deleted: ADDED }
    expect(await job.tick(signal)).toMatchObject({ writes })
  }
  done.abort()
  const seen = await reading
  const total = [...seen.values()].reduce((sum, count) => sum + count, 0)
  expect(total).toBeGreaterThanOrEqual(reads)
  // 60 waiting; or 50 of them on hold, the others hidden and 15 new
  expect([...seen.keys()].sort()).toEqual(['60 waiting 0', '65 hold 15'])
  expect(Math.min(...seen.values())).toBeGreaterThan(reads / 10)
}

/** Reads the table until the signal and the number of reads are reached. Returns how often each content was seen. */
async function readUntil(org: LiveOrg, signal: AbortSignal, atLeast: number): Promise<Map<string, number>> {
  const seen = new Map<string, number>()
  for (let reads = 0; !signal.aborted || reads < atLeast; reads++) {
    const { rows } = await sql<{ rows: number; states: string[]; added: number }>`
      select count(*)::int as rows, array_agg(distinct state) as states,
        count(*) filter (where conversation_id like 'x%')::int as added
      from genesys.live_conversations`.execute(org.warehouse.db)
    const [found] = rows
    const content = `${found?.rows} ${found?.states.join()} ${found?.added}`
    seen.set(content, (seen.get(content) ?? 0) + 1)
  }
  return seen
}

function changeContents(org: LiveOrg, isOdd: boolean): void {
  for (let i = 0; i < CONVERSATIONS; i++) {
    const conversation = org.held.get(`c${i}`)
    if (i < CHANGING) org.change(`c${i}`, isOdd ? 'hold' : 'waiting')
    else if (conversation) conversation.phase = isOdd ? 'hidden' : 'open'
  }
  for (let i = 0; i < ADDED; i++) {
    if (isOdd) org.begin(`x${i}`, { state: 'hold' })
    else org.held.delete(`x${i}`)
  }
}
