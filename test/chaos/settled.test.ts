/** Ten days of test/sim/settled.test.ts. */
import { expect, test } from 'vitest'
import { simulate } from '../sim/settled-days.ts'

test('ten days of late changes, with nights that are skipped, killed or faulty', async () => {
  const { lost, conversations } = await simulate({ sources: 'jobs', seed: 'ten days', days: 10, perDay: 40 })
  expect(Object.values(lost).reduce((sum, count) => sum + count, 0)).toBeLessThan(conversations * 0.1)
}, 120_000)
