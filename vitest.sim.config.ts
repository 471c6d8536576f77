import { defineConfig } from 'vitest/config'

/** `npm run test:sim`: the long simulation. SEED=… repeats a run, KILLS=… makes it shorter or longer. */
export default defineConfig({
  test: {
    name: 'sim',
    include: ['test/sim/**/*.test.ts'],
    globalSetup: ['test/support/global-setup.ts'],
    maxWorkers: 1,
    testTimeout: 3 * 3_600_000,
    hookTimeout: 60_000,
  },
})
