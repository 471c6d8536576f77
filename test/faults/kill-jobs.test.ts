import { afterAll, expect, test } from 'vitest'
import { expectJobsSurviveKills, startOrgOfSlowJobs } from './killed-jobs.ts'

const org = await startOrgOfSlowJobs()
afterAll(() => org.close())

// four more series: test/sim/kill-jobs.test.ts
test('backfills by jobs survive being killed five times at seeded points', async () => {
  expect(await expectJobsSurviveKills(org, 0)).toBeGreaterThan(0)
})
