/**
 * Drops the personal data of conversations that started before the floor of its retention: the job `pii-retention`. Loads drop what they
 * bring of such conversations by themselves, so that what was done once stays done, and a night without a new floor costs two look-ups.
 */
import type { Kysely, Transaction } from 'kysely'
import { EtlError } from '../errors.ts'
import { applyPolicyToRejected } from '../loader/rejected.ts'
import type { Logger } from '../log.ts'
import type { PolicyInForce } from '../model/personal-retention.ts'
import type { Warehouse } from '../postgres/connect.ts'
import type { Database } from '../postgres/database.ts'
import { recording } from '../postgres/errors.ts'
import { selectMeta, upsertMeta } from '../postgres/meta.ts'
import { holdPolicy, replaceFloor, requirePolicy, selectFloor } from '../postgres/personal-policy.ts'
import { runJob } from '../runs/run-job.ts'
import { countBetween, rewriteConversations, selectBefore, type Position } from './rewrite-conversations.ts'

const KEY = 'personal_data_retention'

/** How far the job is. */
interface Walk {
  /** The floor up to which everything is dropped; null: nothing is. */
  readonly done: string | null
  /** The floor that the walk goes to, where it has begun. */
  readonly floor?: string
  /** The conversation that was looked at last. */
  readonly position?: Position
}

const NOT_BEGUN: Walk = { done: null }

/** Where the retention of personal data stands. */
export interface RetentionState {
  /** Conversations that started before it hold no personal data; null: there is no retention. */
  readonly floor: string | null
  /** Whether everything that is stored follows it. */
  readonly isApplied: boolean
}

export interface RetentionDependencies {
  readonly warehouse: Warehouse
  readonly logger: Logger
  /** Called with the number of conversations that will be looked at. */
  readonly onPlan?: (conversations: number) => void
  /** Called with how many of them were looked at since the last call. */
  readonly onProgress?: (conversations: number) => void
}

/** Where the retention of personal data stands. */
export async function selectRetention(db: Kysely<Database>): Promise<RetentionState> {
  const [floor, { done }] = await recording('reading the retention of personal data', async () => [
    await selectFloor(db),
    await selectWalk(db),
  ])
  return { floor, isApplied: floor === null || !isBefore(done, floor) }
}

/**
 * Sets the floor of the retention to whatever the settings want, for what is loaded from now on. What was dropped stays so until it is
 * loaded again.
 */
export async function restartRetention(trx: Transaction<Database>, floor: string | null): Promise<void> {
  await replaceFloor(trx, floor)
  const { done } = await selectWalk(trx)
  await upsertMeta(trx, KEY, { done: isBefore(done, floor) ? done : floor } satisfies Walk)
}

/**
 * Drops what is due after a sync, if anything is. Interrupted anywhere, the next one goes on where it was. A failure is logged: the next sync
 * tries again.
 */
export async function dropPersonalAfterSync(dependencies: RetentionDependencies, signal: AbortSignal): Promise<void> {
  try {
    if ((await selectRetention(dependencies.warehouse.db)).isApplied) return
    const request = { job: 'pii-retention', trigger: 'cron', parameters: {} } as const
    await runJob(dependencies, request, signal, async (run, jobSignal) => ({
      counts: await dropBeforeFloor(dependencies, run.id, jobSignal),
    }))
  } catch (error) {
    if (signal.aborted || (error instanceof EtlError && error.code === 'JOB_ALREADY_RUNNING')) return
    dependencies.logger.warn(
      { err: error },
      'personal data whose retention is over could not be dropped; the next sync tries again',
    )
  }
}

/** What was looked at, and what of it has changed. */
interface Dropped {
  readonly floor: string | null
  readonly conversations: number
  readonly rewritten: number
  readonly rejectedRecords: number
}

async function dropBeforeFloor(
  dependencies: RetentionDependencies,
  runId: number,
  signal: AbortSignal,
): Promise<Dropped> {
  const { db, personalPolicy } = dependencies.warehouse
  const inForce = await requirePolicy(db, personalPolicy)
  const { floor } = inForce
  const stored = await recording('reading the retention of personal data', () => selectWalk(db))
  if (floor === null || !isBefore(stored.done, floor))
    return { floor, conversations: 0, rewritten: 0, rejectedRecords: 0 }
  // a walk to an earlier floor may have been interrupted: what it has done is looked at again
  const begun = stored.floor === floor ? { ...stored, floor } : { done: stored.done, floor }
  const conversations = await walk(dependencies, inForce, begun, { runId, signal })
  const rejectedRecords = await applyPolicyToRejected(db, inForce, signal)
  await recording('recording the retention of personal data', () =>
    db.transaction().execute((trx) => recordWalk(trx, inForce, { done: floor })),
  )
  return { floor, ...conversations, rejectedRecords }
}

/** From the newest conversation before the floor to the one up to which everything was done before. */
async function walk(
  { warehouse, onPlan, onProgress }: RetentionDependencies,
  inForce: PolicyInForce,
  { done, floor, position: begunAt }: Walk & { readonly floor: string },
  options: { readonly runId: number; readonly signal: AbortSignal },
): Promise<Pick<Dropped, 'conversations' | 'rewritten'>> {
  const { db } = warehouse
  let position: Position = begunAt ?? { start: floor, id: '' }
  onPlan?.(await recording('counting what is due', () => countBetween(db, done, position.start)))
  let conversations = 0
  let rewritten = 0
  for (;;) {
    options.signal.throwIfAborted()
    const batch = await recording('reading which conversations are next', () =>
      selectBefore(db, position, done ?? undefined),
    )
    const last = batch.at(-1)
    if (last === undefined) return { conversations, rewritten }
    rewritten += await rewriteConversations(warehouse, batch, options, (trx) =>
      recordWalk(trx, inForce, { done, floor, position: last }),
    )
    position = last
    conversations += batch.length
    onProgress?.(batch.length)
  }
}

/** @throws EtlError PII_RETENTION_CHANGED where the floor was set back since the walk began: it must not count as done */
async function recordWalk(trx: Transaction<Database>, { policy, floor }: PolicyInForce, reached: Walk): Promise<void> {
  const current = (await holdPolicy(trx, policy)).floor
  if (isBefore(current, floor))
    throw new EtlError('The retention of personal data was changed while it was being applied', {
      code: 'PII_RETENTION_CHANGED',
      kind: 'retryable',
      hint: 'Nothing is to be done: the next sync applies the one that is in force now.',
    })
  await upsertMeta(trx, KEY, reached)
}

/** Whether a floor lies before another one; none lies before all. */
function isBefore(a: string | null, b: string | null): boolean {
  return b !== null && (a === null || Date.parse(a) < Date.parse(b))
}

async function selectWalk(db: Kysely<Database>): Promise<Walk> {
  return (await selectMeta<Walk>(db, KEY)) ?? NOT_BEGUN
}
