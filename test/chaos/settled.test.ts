/** Ten days of test/sim/settled.test.ts. */
import { expect, test } from 'vitest'
import { simulate } from '../sim/settled-days.ts'

test('ten days of late changes, with nights that are skipped, killed or faulty', async () => {
  const { lost } = await simulate({ sources: 'jobs', seed: 'ten days', days: 10, perDay: 25 })
  expect(lost).toEqual({})
})
