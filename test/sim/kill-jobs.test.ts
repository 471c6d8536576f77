/** Twenty more kills of backfills by jobs than `npm test` has time for. */
import { afterAll, expect, test } from 'vitest'
import { expectJobsSurviveKills, startOrgOfSlowJobs } from '../faults/killed-jobs.ts'

const org = await startOrgOfSlowJobs()
afterAll(() => org.close())
let resumed = 0

test.each([1, 2, 3, 4])(
  'backfills by jobs survive being killed five times at seeded points (series %i)',
  async (series) => {
    resumed += await expectJobsSurviveKills(org, series)
  },
)

test('some of the jobs were under way when their process was killed', () => {
  expect(resumed).toBeGreaterThan(4)
})
