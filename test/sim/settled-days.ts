/** What has to be true after simulated days: what is lost, and that everything else is as Genesys has it. */
import { sql } from 'kysely'
import { expect } from 'vitest'
import { verifyRange } from '../../src/history/verify.ts'
import { splitByDay, type Interval } from '../../src/model/interval.ts'
import type { JsonObject } from '../../src/model/json.ts'
import { isExpected, type ClassifiedDifference } from '../../src/reporting/classify.ts'
import { deriveRange } from '../../src/reporting/derive-range.ts'
import { reconcileDays, type Reconciliation } from '../../src/reporting/reconcile.ts'
import { recomputeDirtyHours } from '../../src/reporting/rollups.ts'
import type { Simulator } from '../../src/simulator/server.ts'
import { expectIntervalsEqualEvents } from '../reporting/event-sums.ts'
import {
  selectHeld,
  startSimulatedDays,
  type HeldConversation,
  type SimulatedDays,
  type SimulatedDaysOptions,
} from '../support/simulated-days.ts'
import type { TestOrg } from '../support/simulated-org.ts'
import type { Change, TruthLog } from '../support/truth-log.ts'
import { compareWithTruth, parseTruth } from '../support/truth.ts'

/** settle_days, as they are unless set. */
const SETTLE_MS = 4 * 86_400_000
const never = new AbortController().signal

/** What a simulation showed. */
export interface Figures {
  readonly conversations: number
  readonly changed: Partial<Record<Change, number>>
  /** How many conversations are not as Genesys has them, by what they lack first. */
  readonly lost: Partial<Record<Change, number>>
  readonly runs: string
}

/** Lets the days pass, and checks everything at their end. Prints what it saw. */
export async function simulate(options: SimulatedDaysOptions): Promise<Figures> {
  await using days = await startSimulatedDays(options)
  let finalRows = 0
  const check = async (it: TestOrg, at: number): Promise<void> => {
    const held = await selectHeld(it)
    expect(inventedIn(days.log, held), `${new Date(at).toISOString()}: versions that Genesys never had`).toEqual([])
    finalRows = held.filter(({ isFinal }) => isFinal).length
    expect(prematureIn(days.log, held), `${new Date(at).toISOString()}: final before all has settled`).toEqual([])
  }
  await days.live(check)
  await days.settle(check)
  expect(finalRows).toBeGreaterThan(options.days * 10)

  await using it = await days.connect()
  await recomputeDirtyHours(it.warehouse)
  const held = await selectHeld(it)
  expect(wronglyMissingIn(days.log, held)).toEqual([])
  const lost = lostIn(days.log, held)
  await expectTheRestEqual(days, it, [...lost.keys(), ...held.filter(({ isMissing }) => isMissing).map(({ id }) => id)])
  const figures: Figures = {
    conversations: [...days.log.ids()].length,
    changed: days.log.counts(),
    lost: countBy([...lost.values()]),
    runs: Object.entries(days.runs)
      .map(([how, count]) => `${count} ${how}`)
      .join(', '),
  }
  process.stderr.write(`SEED=${options.seed} DAYS=${options.days} ${options.sources}: ${JSON.stringify(figures)}\n`)
  const reconciliation = await reconcile(it, days.range)
  expect(reconciliation.skipped).toEqual([])
  const faults = faultsOf(reconciliation)
  // what the lookback alone has lost is more than a comparison can explain
  if (options.sources !== 'lookback') expectExplained(faults, lost)
  if (lost.size === 0) expect(faults.slice(0, 5)).toEqual([])
  await expectBrokenRowFound(days, it, lost)
  return figures
}

/** Ids whose stored content is no version that Genesys has shown. */
function inventedIn(log: TruthLog, held: readonly HeldConversation[]): string[] {
  return held.filter(({ id, hash }) => log.lastShown(id, hash) === null).map(({ id }) => id)
}

/** Ids of conversations that are final although what is stored of them was out of date at the age at which they settle. */
function prematureIn(log: TruthLog, held: readonly HeldConversation[]): string[] {
  return held
    .filter(({ id, hash, isFinal, end }) => isFinal && (log.lastShown(id, hash) ?? 0) < +(end ?? 0) + SETTLE_MS)
    .map(({ id }) => id)
}

/** Ids of conversations that are marked as missing although Genesys has them. */
function wronglyMissingIn(log: TruthLog, held: readonly HeldConversation[]): string[] {
  return held.filter(({ id, isMissing }) => isMissing && log.versionsOf(id).at(-1)?.hash !== null).map(({ id }) => id)
}

/** Conversations that are not stored as Genesys has them, each with the first change that is missing. */
function lostIn(log: TruthLog, held: readonly HeldConversation[]): Map<string, Change> {
  const stored = new Map(held.map((each) => [each.id, each]))
  const lost = new Map<string, Change>()
  for (const id of log.ids()) {
    const versions = log.versionsOf(id)
    const mine = stored.get(id)
    // what was deleted before it could be read is not missed
    if (versions.at(-1)?.hash === null && (!mine || mine.isMissing)) continue
    const place = versions.findLastIndex(({ hash }) => hash === mine?.hash)
    const first = versions[place + 1]
    if (first) lost.set(id, first.change)
  }
  return lost
}

/** Requires that all that is not lost equals the truth, the intervals of the reports included. */
async function expectTheRestEqual(
  { org, range, hasAttributes }: SimulatedDays,
  it: TestOrg,
  gone: readonly string[],
): Promise<void> {
  const truth = org
    .truthText()
    .map(parseTruth)
    .map((each) => (hasAttributes ? withAttributes(org, each) : each))
  const { cells, rowCounts, ...comparison } = await compareWithTruth(it.warehouse, truth, range, {
    gone,
    hasAttributes,
  })
  const wrong = {
    ...comparison,
    // the comparison field by field includes attributes
    rowCounts: rowCounts.filter((line) => !line.startsWith('participant_attributes')),
    // what Genesys has no more counts in no interval
    cells: cells.filter((id) => !gone.includes(id)),
  }
  expect(Object.values(wrong).flat(), JSON.stringify(wrong).slice(0, 2000)).toEqual([])
  expect(await expectIntervalsEqualEvents(it.warehouse)).toBeGreaterThan(100)
}

/** A conversation as jobs deliver it. */
function withAttributes(org: Simulator, conversation: JsonObject): JsonObject {
  const attributes = org.attributesOf(conversation['conversationId'] as string)
  const participants = (conversation['participants'] as JsonObject[]).map((participant) => {
    const own = attributes[participant['participantId'] as string]
    return own ? { ...participant, attributes: own } : participant
  })
  return { ...conversation, participants }
}

async function reconcile(it: TestOrg, range: Interval): Promise<Reconciliation> {
  await using dependencies = it.dependencies()
  return await reconcileDays(dependencies, { days: splitByDay(range), byUser: false }, 'manual', never)
}

function faultsOf({ differences }: Reconciliation): ClassifiedDifference[] {
  return differences.filter((difference) => !isExpected(difference.class))
}

/** Requires that each difference names a conversation that is lost. */
function expectExplained(faults: readonly ClassifiedDifference[], lost: ReadonlyMap<string, Change>): void {
  const isExplained = ({ conversations }: ClassifiedDifference): boolean =>
    conversations.some(({ conversationId }) => lost.has(conversationId))
  expect(faults.filter((fault) => !isExplained(fault)).slice(0, 5)).toEqual([])
}

/** Breaks the handle time of one conversation in the tables, and requires that both comparisons with Genesys name it. */
async function expectBrokenRowFound(
  days: SimulatedDays,
  it: TestOrg,
  lost: ReadonlyMap<string, Change>,
): Promise<void> {
  const { rows } = await sql<{ id: string; start: Date }>`
    select conversation_id as id, conversation_start as start from genesys.session_metrics
    where name = 'tHandle' and conversation_id <> all(${[...lost.keys()]}::text[])
      and conversation_id in (select conversation_id from reporting.conversation_status where missing_since is null)
    order by conversation_start desc limit 1`.execute(it.warehouse.db)
  const broken = rows[0]!
  await sql`
    update genesys.session_metrics set value = value + 1000
    where conversation_id = ${broken.id} and name = 'tHandle'`.execute(it.warehouse.db)
  const [day] = splitByDay(days.range).filter(({ start, end }) => start <= broken.start && broken.start < end)
  await using dependencies = it.dependencies()
  await deriveRange(dependencies, day!, never)
  const named = faultsOf(await reconcile(it, { start: day!.start, end: days.range.end })).flatMap(
    ({ conversations }) => conversations,
  )
  expect(named.map(({ conversationId }) => conversationId)).toContain(broken.id)
  const { mismatches } = await verifyRange(dependencies, day!, never)
  const differing = mismatches.filter(({ conversationId }) => !lost.has(conversationId))
  expect(differing).toMatchObject([{ conversationId: broken.id, kind: 'differs' }])
}

function countBy<Key extends string>(keys: readonly Key[]): Partial<Record<Key, number>> {
  const counts: Partial<Record<Key, number>> = {}
  for (const key of keys) counts[key] = (counts[key] ?? 0) + 1
  return counts
}
