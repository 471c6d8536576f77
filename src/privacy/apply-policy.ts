/** Applies a changed policy for personal data to what is stored: the job `apply-policy`. */
import { sql, type Kysely } from 'kysely'
import { EtlError } from '../errors.ts'
import { applyPolicyToRejected } from '../loader/rejected.ts'
import type { Logger } from '../log.ts'
import type { Warehouse } from '../postgres/connect.ts'
import type { Database } from '../postgres/database.ts'
import { recording } from '../postgres/errors.ts'
import { selectMeta, upsertMeta } from '../postgres/meta.ts'
import {
  describePolicy,
  isSamePolicy,
  NO_POLICY,
  requirePolicy,
  selectFloor,
  selectStoredPolicy,
  storePolicy,
  toStoredPolicy,
  type StoredPolicy,
} from '../postgres/personal-policy.ts'
import { applyPolicyToReferenceData } from '../reference/apply-policy.ts'
import { runJob } from '../runs/run-job.ts'
import { restartRetention } from './personal-retention.ts'
import { countBetween, rewriteConversations, selectBefore, type Position } from './rewrite-conversations.ts'

const PENDING_KEY = 'personal_data_policy_pending'

/** An application that is under way, or was interrupted. */
interface Pending {
  readonly policy: StoredPolicy
  /** The conversation that was rewritten last; null: none was. */
  readonly position: Position | null
}

export interface ApplyPolicyDependencies {
  readonly warehouse: Warehouse
  readonly logger: Logger
  /** Called with the number of conversations that are looked at. */
  readonly onPlan?: (conversations: number) => void
  /** Called with how many of them were looked at since the last call. */
  readonly onProgress?: (conversations: number) => void
}

export interface ApplyPolicyRequest {
  /** Whether what is stored is changed; else the policy holds only for what is loaded from now on. */
  readonly rewrite: boolean
  /** Whether values may stay that cannot follow the policy, since they were dropped, or hashed, perhaps with another key. */
  readonly acceptMix: boolean
  /** The floor of the retention that the settings want; with acceptMix it becomes that of the database, even where it is further back. */
  readonly floor: string | null
}

/** What was changed. */
export interface AppliedPolicy {
  readonly conversations: number
  readonly rewritten: number
  readonly rejectedRecords: number
  readonly referenceRows: number
}

const NOTHING: AppliedPolicy = { conversations: 0, rewritten: 0, rejectedRecords: 0, referenceRows: 0 }

/**
 * Makes the policy of the warehouse that of the database. From then on processes with another one store nothing; then conversations,
 * newest first, rejected records and reference data are changed in small transactions. May be killed at any point and called again.
 * @throws EtlError PII_IRREVERSIBLE where something stored cannot follow and a mix is not accepted; JOB_ALREADY_RUNNING; errors of the database
 */
export async function applyPolicyToStored(
  dependencies: ApplyPolicyDependencies,
  request: ApplyPolicyRequest,
  signal: AbortSignal,
): Promise<AppliedPolicy> {
  const { db, personalPolicy } = dependencies.warehouse
  const policy = toStoredPolicy(personalPolicy)
  const stored = (await selectStoredPolicy(db)) ?? NO_POLICY
  refuseIrreversible(stored, policy, request)
  const parameters = { customers: policy.customers, employees: policy.employees, ...request }
  const job = { job: 'apply-policy', trigger: 'manual', parameters } as const
  const { counts } = await runJob(dependencies, job, signal, async (run, jobSignal) => {
    const pending = await switchPolicy(db, policy, request)
    if (pending === null) return { counts: NOTHING }
    const conversations = await rewriteAll(dependencies, pending, run.id, jobSignal)
    const inForce = await requirePolicy(db, personalPolicy)
    const rejectedRecords = await applyPolicyToRejected(db, inForce, jobSignal)
    const referenceRows = await recording('applying the policy for personal data to reference data', () =>
      applyPolicyToReferenceData(db, personalPolicy),
    )
    await recording('recording that the policy is applied', () => deletePending(db))
    return { counts: { ...conversations, rejectedRecords, referenceRows } }
  })
  return counts
}

/** Whether the policy was not applied to everything that is stored, because an application was interrupted. */
export async function isApplicationPending(db: Kysely<Database>): Promise<boolean> {
  return (await selectMeta(db, PENDING_KEY)) !== undefined
}

function refuseIrreversible(stored: StoredPolicy, policy: StoredPolicy, { acceptMix }: ApplyPolicyRequest): void {
  if (acceptMix) return
  const reasons = irreversible(stored, policy)
  if (reasons.length === 0) return
  throw new EtlError(
    `The policy for personal data cannot become ${describePolicy(policy)} for what is stored under ${describePolicy(stored)}: ${reasons.join('; ')}`,
    {
      code: 'PII_IRREVERSIBLE',
      kind: 'config',
      hint: 'Add --accept-mix to use it for what is loaded from now on, and read again with backfill --reload what shall follow; else set the variables back.',
    },
  )
}

/** Why stored values cannot follow a change; none: they can. */
function irreversible(stored: StoredPolicy, policy: StoredPolicy): string[] {
  const isLost = stored.customers !== 'keep' && policy.customers === 'keep'
  const hashes = stored.customers === 'hash' ? 'hashes' : 'dropped values'
  return [
    ...(isLost ? [`${hashes} of customers cannot become clear values again`] : []),
    ...(stored.customers === 'drop' && policy.customers === 'hash' ? ['dropped values cannot be hashed'] : []),
    ...(stored.employees === 'hash' && policy.employees === 'keep'
      ? ['hashes of employees cannot become clear values again']
      : []),
    ...(stored.key !== null && policy.key !== null && stored.key !== policy.key
      ? ['hashes of one key cannot become those of another']
      : []),
  ]
}

/** Records the policy and, unless nothing is to be rewritten, where its application stands; null: nothing is. */
async function switchPolicy(
  db: Kysely<Database>,
  policy: StoredPolicy,
  { rewrite, acceptMix, floor }: ApplyPolicyRequest,
): Promise<Pending | null> {
  return await recording('recording the policy for personal data', () =>
    db.transaction().execute(async (trx) => {
      await storePolicy(trx, policy)
      if (acceptMix) await restartRetention(trx, floor)
      const isNeeded = rewrite && (!isSamePolicy(policy, NO_POLICY) || (await selectFloor(trx)) !== null)
      const interrupted = await selectMeta<Pending>(trx, PENDING_KEY)
      if (!isNeeded) {
        await deletePending(trx)
        return null
      }
      if (interrupted && isSamePolicy(interrupted.policy, policy)) return interrupted
      const pending = { policy, position: null }
      await upsertMeta(trx, PENDING_KEY, pending)
      return pending
    }),
  )
}

async function deletePending(db: Kysely<Database>): Promise<void> {
  await sql`delete from etl.meta where key = ${PENDING_KEY}`.execute(db)
}

async function rewriteAll(
  { warehouse, onPlan, onProgress }: ApplyPolicyDependencies,
  pending: Pending,
  runId: number,
  signal: AbortSignal,
): Promise<Pick<AppliedPolicy, 'conversations' | 'rewritten'>> {
  const { db } = warehouse
  onPlan?.(await countBetween(db, null, pending.position?.start ?? null))
  let conversations = 0
  let rewritten = 0
  let { position } = pending
  for (;;) {
    signal.throwIfAborted()
    const batch = await recording('reading which conversations are next', () => selectBefore(db, position))
    const last = batch.at(-1)
    if (last === undefined) return { conversations, rewritten }
    rewritten += await rewriteConversations(warehouse, batch, { runId, signal }, (trx) =>
      upsertMeta(trx, PENDING_KEY, { policy: pending.policy, position: last }),
    )
    position = last
    conversations += batch.length
    onProgress?.(batch.length)
  }
}
