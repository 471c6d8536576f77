/**
 * Under which policy for personal data this database is filled: etl.meta has it, without the key. Whatever stores personal data checks it in
 * its transaction, so that a process with another policy stores nothing. Beside it stands the floor of the retention, before which no
 * conversation holds personal data, so that processes agree on it whatever their settings.
 */
import { sql, type Kysely, type Transaction } from 'kysely'
import { commandLine } from '../command-line.ts'
import { EtlError } from '../errors.ts'
import { keyInUse, type PersonalPolicy } from '../model/personal.ts'
import type { PolicyInForce } from '../model/personal-retention.ts'
import type { Database } from './database.ts'
import { recording } from './errors.ts'
import { selectMeta } from './meta.ts'

const KEY = 'personal_data_policy'

/** A policy as etl.meta has it. */
export interface StoredPolicy {
  readonly customers: PersonalPolicy['customers']
  readonly employees: PersonalPolicy['employees']
  /** Tells the key from others; null: nothing is hashed. */
  readonly key: string | null
}

/** What etl.meta has: the policy, and the floor of the retention once there was one. */
interface StoredRow extends StoredPolicy {
  readonly floor?: string | null
}

/** That of a database in which none has been recorded: everything is kept. */
export const NO_POLICY: StoredPolicy = { customers: 'keep', employees: 'keep', key: null }

/** What is stored of a policy. */
export function toStoredPolicy(policy: PersonalPolicy): StoredPolicy {
  return { customers: policy.customers, employees: policy.employees, key: keyInUse(policy) }
}

/** Whether two policies store the same. */
export function isSamePolicy(a: StoredPolicy, b: StoredPolicy): boolean {
  return a.customers === b.customers && a.employees === b.employees && a.key === b.key
}

/** The settings that make a policy, for messages. */
export function describePolicy({ customers, employees }: StoredPolicy): string {
  return `PII=${customers}, PII_AGENTS=${employees}`
}

/** The policy of this database; undefined: none has been recorded yet. */
export async function selectStoredPolicy(db: Kysely<Database>): Promise<StoredPolicy | undefined> {
  return await selectMeta<StoredPolicy>(db, KEY)
}

/** Records the policy, after those have ended that store under another one. The floor of the retention stays. */
export async function storePolicy(db: Kysely<Database>, policy: StoredPolicy): Promise<void> {
  await mergeIntoRow(db, policy)
}

/** The floor of the retention (see PolicyInForce). */
export async function selectFloor(db: Kysely<Database>): Promise<string | null> {
  return (await selectMeta<StoredRow>(db, KEY))?.floor ?? null
}

/**
 * Moves the floor of the retention forward, never back, after those have ended that store under the one before.
 * @returns whether it has moved
 * @throws EtlError PII_POLICY_CHANGED
 */
export async function advanceFloor(db: Kysely<Database>, policy: PersonalPolicy, floor: string): Promise<boolean> {
  const current = await selectFloor(db)
  if (current !== null && Date.parse(current) >= Date.parse(floor)) return false
  await adoptPolicy(db, policy)
  return await recording('recording the retention of personal data', async () => {
    const { numAffectedRows = 0n } = await sql`
      update etl.meta set value = value || jsonb_build_object('floor', ${floor}::text), updated_at = now()
      where key = ${KEY} and coalesce((value ->> 'floor')::timestamptz, '-infinity') < ${floor}::timestamptz`.execute(
      db,
    )
    return numAffectedRows > 0n
  })
}

/** Sets the floor of the retention, also further back, for what is loaded from now on; null: there is none any more. */
export async function replaceFloor(trx: Transaction<Database>, floor: string | null): Promise<void> {
  await mergeIntoRow(trx, { floor })
}

async function mergeIntoRow(db: Kysely<Database>, change: Partial<StoredRow>): Promise<void> {
  await sql`
    insert into etl.meta as m (key, value) values (${KEY}, ${JSON.stringify({ ...NO_POLICY, ...change })}::jsonb)
    on conflict (key) do update set value = m.value || ${JSON.stringify(change)}::jsonb, updated_at = now()`.execute(db)
}

/**
 * Records the policy of a database that has no personal data yet, and requires it of any other. What was loaded before policies were
 * recorded was kept.
 * @throws EtlError PII_POLICY_CHANGED
 */
export async function adoptPolicy(db: Kysely<Database>, policy: PersonalPolicy): Promise<void> {
  await recording('comparing the policy for personal data', async () => {
    const own = toStoredPolicy(policy)
    if ((await selectStoredPolicy(db)) === undefined) {
      const first = (await holdsPersonalData(db)) ? NO_POLICY : own
      await sql`
        insert into etl.meta (key, value) values (${KEY}, ${JSON.stringify(first)}::jsonb) on conflict do nothing`.execute(
        db,
      )
    }
    refuseOther(own, await selectStoredPolicy(db))
  })
}

/**
 * To be called in every transaction that stores personal data: the policy and its floor then stay as they are until the transaction ends.
 * @throws EtlError PII_POLICY_CHANGED
 */
export async function holdPolicy(trx: Transaction<Database>, policy: PersonalPolicy): Promise<PolicyInForce> {
  const { rows } = await sql<{ value: StoredRow }>`select value from etl.meta where key = ${KEY} for share`.execute(trx)
  return inForce(policy, rows[0]?.value)
}

/**
 * To be called by whatever compares what is stored with what Genesys has.
 * @throws EtlError PII_POLICY_CHANGED
 */
export async function requirePolicy(db: Kysely<Database>, policy: PersonalPolicy): Promise<PolicyInForce> {
  return inForce(
    policy,
    await recording('comparing the policy for personal data', () => selectMeta<StoredRow>(db, KEY)),
  )
}

function inForce(policy: PersonalPolicy, stored: StoredRow | undefined): PolicyInForce {
  refuseOther(toStoredPolicy(policy), stored)
  return { policy, floor: stored?.floor ?? null }
}

async function holdsPersonalData(db: Kysely<Database>): Promise<boolean> {
  const { rows } = await sql<{ holds: boolean }>`
    select exists (select from etl.conversations) or exists (select from etl.rejected_records)
      or exists (select from genesys.dim_users) as holds`.execute(db)
  return rows[0]?.holds === true
}

function refuseOther(own: StoredPolicy, stored: StoredPolicy | undefined): void {
  if (stored === undefined || isSamePolicy(own, stored)) return
  const isOtherKey = isSamePolicy({ ...own, key: null }, { ...stored, key: null })
  throw new EtlError(
    isOtherKey
      ? 'PII_KEY is not the key with which the personal data of this database was hashed'
      : `The policy for personal data is ${describePolicy(own)}, but this database is filled under ${describePolicy(stored)}`,
    {
      code: 'PII_POLICY_CHANGED',
      kind: 'config',
      hint: isOtherKey
        ? 'Set PII_KEY to the key that was used before. If it is lost, see "A lost key" in docs/privacy.md.'
        : `Set the variables back, or apply the new policy to what is stored: ${commandLine('erase --apply-policy')}. See docs/privacy.md.`,
    },
  )
}
