/** Many more kills at seeded points than `npm test` has time for. */
import { afterAll, test } from 'vitest'
import { expectSurvivesKills } from '../faults/killed-backfill.ts'
import { startOrg } from '../support/simulated-org.ts'

const org = await startOrg({ latencyMs: 15 })
afterAll(() => org.close())

test.each(Array.from({ length: 12 }, (_, series) => series))(
  'survives being killed five times at seeded points (series %i)',
  (series) => expectSurvivesKills(org, series, 5),
)
