import { defineConfig } from 'vitest/config'

/** Suites that need neither Postgres nor a child process; the rest share one Postgres. */
const WITHOUT_POSTGRES = [
  'test/commands/**/*.test.ts',
  'test/dbt/properties.test.ts',
  'test/genesys/**/*.test.ts',
  'test/http/report-{chart,csv}.test.ts',
  'test/grafana/dashboards.test.ts',
  'test/history/{paging,plan,plan-jobs,read-window,stability}.test.ts',
  'test/facts/**/*.test.ts',
  'test/intervals/**/*.test.ts',
  'test/live/{first-session,older,queue-counts,readings,state,transitions}.test.ts',
  'test/model/**/*.test.ts',
  'test/privacy/match.test.ts',
  'test/monitoring/{alert-rules,health-check,status}.test.ts',
  'test/reporting/{classify,compare-cells,service-level}.test.ts',
  'test/reporting/report-{freshness,range,request}.test.ts',
  'test/request-budget/grant.test.ts',
  'test/settled/plans.test.ts',
  'test/simulator/**/*.test.ts',
  'test/support/*.test.ts',
  'test/*.test.ts',
]

/**
 * Suites of real processes, browsers and waits that would take `npm test` beyond six minutes on two cores: `npm run test:long`, which
 * CI runs too, and part of `npm run test:sim`.
 */
export const LONG = [
  'test/browser/**/*.test.ts',
  'test/chaos/**/*.test.ts',
  'test/cli/**/*.test.ts',
  'test/dbt/build.test.ts',
  'test/embedded-postgres/**/*.test.ts',
  'test/faults/**/*.test.ts',
  'test/history/jobs.test.ts',
  'test/privacy/policy-commands.test.ts',
  'test/privacy/{erase-at-work,erased-org,retained-org,retention-kills}.test.ts',
  'test/reference/process.test.ts',
  'test/retention/{kill,readers,retention}.test.ts',
  'test/reporting/{derive-command,genesys-aggregates,many-months,oracle,performance,reconcile}.test.ts',
]

export default defineConfig({
  test: {
    // Twice the cores of a small CI machine: much of the time is spent waiting for child processes, sockets and clocks.
    maxWorkers: 4,
    // Processes are killed and clocks raced here; a busy CI machine gets one more chance, a developer's none.
    retry: process.env['CI'] ? 1 : 0,
    testTimeout: 30_000,
    hookTimeout: 60_000,
    projects: [
      { extends: true, test: { name: 'pure', include: WITHOUT_POSTGRES } },
      {
        extends: true,
        test: {
          name: 'postgres',
          include: ['test/**/*.test.ts'],
          exclude: [...WITHOUT_POSTGRES, ...LONG, 'test/sim/**'],
          globalSetup: ['test/support/global-setup.ts'],
          testTimeout: 60_000,
        },
      },
    ],
  },
})
