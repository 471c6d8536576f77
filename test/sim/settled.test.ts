/**
 * Two months of an organization whose conversations change for weeks after their end, with nights that are skipped, killed or faulty.
 *
 *     npm run test:sim -- test/sim/settled             60 days, a new seed
 *     SEED=… DAYS=20 npm run test:sim -- test/sim/settled
 */
import { expect, test } from 'vitest'
import { simulate } from './settled-days.ts'

const seed = process.env['SEED'] ?? String(Date.now() % 1_000_000)
const days = Number(process.env['DAYS'] ?? 60)

/** How many conversations lack something. */
const sum = (counts: Partial<Record<string, number>>): number =>
  Object.values(counts).reduce((all: number, count = 0) => all + count, 0)

test(`SEED=${seed}: ${days} days with jobs`, async () => {
  const { lost, conversations } = await simulate({ sources: 'jobs', seed, days, perDay: 40 })
  const { deleted = 0, ...others } = lost
  expect(others).toEqual({})
  // what is older than the weekly re-read is not looked at again
  expect(deleted).toBeLessThanOrEqual(conversations * 0.005)
})

test(`SEED=${seed}: ${days} days where jobs are not permitted`, async () => {
  const { lost, conversations } = await simulate({ sources: 'query', seed, days, perDay: 40 })
  const { deleted = 0, ...others } = lost
  expect(sum(others)).toBeLessThanOrEqual(conversations * 0.001)
  // what is older than the weekly re-read is not looked at again
  expect(deleted).toBeLessThanOrEqual(conversations * 0.005)
})

test(`SEED=${seed}: ${days} days by the windows of the lookback alone, as a measure of what the rest is worth`, async () => {
  const { lost, conversations } = await simulate({ sources: 'lookback', seed, days, perDay: 40 })
  expect(sum(lost)).toBeGreaterThan(conversations * 0.01)
})
