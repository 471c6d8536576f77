import { openApp } from '../app.ts'
import { runService } from '../service.ts'
import { type CommandContext } from './context.ts'

/** `serve`: the scheduler and the HTTP server until a signal; in-flight work ends first. */
export async function serve(_options: object, { env, signal }: CommandContext): Promise<void> {
  await using app = await openApp(env, { genesys: true, database: true, http: true })
  await runService(app, signal)
}
