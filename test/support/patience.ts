/** For `expect.poll`: checks often, and gives up only when something is really wrong. */
export const patience = { timeout: 60_000, interval: 5 } as const
