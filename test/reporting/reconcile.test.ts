import { expect, test } from 'vitest'
import { addDays, splitByDay } from '../../src/model/interval.ts'
import { reconcileDays, type Reconciliation } from '../../src/reporting/reconcile.ts'
import { startTestOrg, threeDays, type RunOverrides, type TestOrg } from '../support/simulated-org.ts'

const never = new AbortController().signal

/** Compares three days, as the command does. */
async function reconcile(
  it: TestOrg,
  {
    byUser = false,
    range = threeDays,
    ...overrides
  }: RunOverrides & { byUser?: boolean; range?: typeof threeDays } = {},
): Promise<Reconciliation> {
  await using dependencies = it.dependencies(overrides)
  return await reconcileDays(dependencies, { days: splitByDay(range), byUser }, 'manual', never)
}

/** Loads the three days, and the days before them whose conversations reach into them. */
async function loadAll(it: TestOrg): Promise<void> {
  await it.backfill({ start: addDays(threeDays.start, -40), end: threeDays.end })
}

test('finds nothing where the tables have what the organization has', async () => {
  await using it = await startTestOrg()
  await loadAll(it)
  const found = await reconcile(it, { byUser: true })
  console.log(JSON.stringify(found, (_k, v) => (typeof v === 'bigint' ? String(v) : v), 1).slice(0, 6000))
  expect(found).toMatchObject({ skipped: [], differences: [], classes: {} })
})
