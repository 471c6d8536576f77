/**
 * Two months of an organization whose conversations change for weeks after their end, with nights that are skipped, killed or faulty.
 *
 *     npm run test:sim -- settled             60 days, a new seed
 *     SEED=… DAYS=20 npm run test:sim -- settled
 */
import { expect, test } from 'vitest'
import { simulate } from './settled-days.ts'

const seed = process.env['SEED'] ?? String(Date.now() % 1_000_000)
const days = Number(process.env['DAYS'] ?? 60)

test(`SEED=${seed}: ${days} days of late changes`, async () => {
  const { lost, conversations } = await simulate({ sources: 'query', seed, days, perDay: 80 })
  expect(Object.values(lost).reduce((sum, count) => sum + count, 0)).toBeLessThan(conversations * 0.1)
})
