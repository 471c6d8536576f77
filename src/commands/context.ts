import { type Output } from './print.ts'

/** What every command receives. */
export interface CommandContext {
  readonly env: NodeJS.ProcessEnv
  readonly output: Output
  /** Aborted by SIGINT or SIGTERM, with an Interrupted as its reason. */
  readonly signal: AbortSignal
}
