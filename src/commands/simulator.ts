import { once } from 'node:events'
import { ConfigError } from '../errors.ts'
import { REALISTIC_LATE_CHANGES } from '../simulator/late-changes.ts'
import { startSimulator } from '../simulator/server.ts'
import { parseWholeNumber } from './arguments.ts'
import { type CommandContext } from './context.ts'

interface SimulatorOptions {
  readonly port: string
  readonly seed: string
  readonly days: string
  readonly perDay: string
  readonly intervalReading: 'overlap' | 'day'
  readonly latencyMs: string
  readonly lateChanges: boolean
}

/** `simulator`: serves a fake organization until a signal. */
export async function simulator(options: SimulatorOptions, { output, signal }: CommandContext): Promise<void> {
  const port = parseWholeNumber(options.port, '--port', 0, 65_535)
  await using org = await startSimulator({
    port,
    seed: parseWholeNumber(options.seed, '--seed', 0, 2 ** 31),
    days: parseWholeNumber(options.days, '--days', 0, 3650),
    perDay: parseWholeNumber(options.perDay, '--per-day', 0, 1_000_000),
    intervalReading: options.intervalReading,
    latencyMs: parseWholeNumber(options.latencyMs, '--latency-ms', 0, 600_000),
    ...(options.lateChanges && { lateChanges: REALISTIC_LATE_CHANGES }),
  }).catch((error: unknown) => {
    const { code, syscall } = error as NodeJS.ErrnoException
    if (syscall !== 'listen') throw error
    throw new ConfigError(`The simulator cannot listen on port ${port} (${code})`, 'Choose a free port with --port.')
  })
  output.line(`A fake Genesys Cloud organization is running at ${org.url}. Point genesys-etl at it:`)
  output.line()
  output.line(`  GENESYS_API_URL=${org.url}`)
  output.line(`  GENESYS_LOGIN_URL=${org.url}`)
  output.line(`  GENESYS_CLIENT_ID=${org.clientId}`)
  output.line(`  GENESYS_CLIENT_SECRET=${org.clientSecret}`)
  if (!signal.aborted) await once(signal, 'abort')
}
