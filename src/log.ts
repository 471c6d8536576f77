/** The one place that knows pino. Logs go to stderr: JSON lines, or readable ones on a terminal. Results go to stdout. */
import { pino, type Logger } from 'pino'

export type { Logger }

/**
 * A logger at `level` (pino's names, `silent` included) that writes JSON lines to `destination`. Redaction is the last line of
 * defence only: errors are cleaned of headers, tokens and bodies where they are made.
 */
export function createLogger(level: string, destination: NodeJS.WritableStream = process.stderr): Logger {
  return pino(
    {
      level,
      base: { service: 'genesys-etl' },
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      redact: {
        paths: ['*.authorization', '*.Authorization', '*.clientSecret', '*.password', '*.accessToken', '*.databaseUrl'],
        remove: true,
      },
    },
    destination,
  )
}
