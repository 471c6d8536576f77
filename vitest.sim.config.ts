import { defineConfig } from 'vitest/config'
import { LONG } from './vitest.config.ts'

/**
 * `npm run test:sim`: the long simulations, and the suites that are too long for `npm test`. SEED=… repeats a run, KILLS=… makes it
 * shorter or longer. `npm run test:long`: the latter alone.
 */
export default defineConfig({
  test: {
    name: 'sim',
    include: ['test/sim/**/*.test.ts', ...LONG],
    // Clocks are raced and processes killed here; a busy CI machine gets one more chance.
    retry: process.env['CI'] ? 1 : 0,
    globalSetup: ['test/support/global-setup.ts'],
    maxWorkers: 1,
    testTimeout: 3 * 3_600_000,
    hookTimeout: 60_000,
  },
})
