/**
 * The environment, parsed once. Everything else takes its settings as arguments. Every problem is reported at once, with
 * the variable's name and what is allowed; secrets stay apart from the settings, so that settings can be logged.
 */
import { readFileSync } from 'node:fs'
import { validate as validateCron } from 'node-cron'
import { z } from 'zod'
import { ConfigError } from './errors.ts'
import { MEDIA_TYPES } from './genesys/details-filter.ts'
import { resolveHosts } from './genesys/regions.ts'
import { isLoopback } from './loopback.ts'

/** What node-postgres knows of libpq's. */
const SSL_MODES = ['disable', 'prefer', 'require', 'verify-ca', 'verify-full', 'no-verify'] as const

/** A state of the live table or `ended`, or a time that a conversation may spend in a state. */
const WEBHOOK_EVENT = /^(?:(?:ivr|waiting|alerting|dialing|interacting|hold|acw|scheduled|other)(?:>\d+s)?|ended)$/

const cron = (name: string) =>
  z
    .string()
    .refine(
      validateCron,
      `must be a cron line such as '15 2 * * *' (${name}: minute hour day month weekday; six fields begin with the second)`,
    )
const wholeNumber = (from: number, to: number) =>
  z
    .string()
    .regex(/^\d+$/, `must be a whole number from ${from} to ${to}`)
    .transform(Number)
    .refine((value) => value >= from && value <= to, `must be a whole number from ${from} to ${to}`)
const url = (protocols: RegExp, example: string) =>
  z.string().refine((text) => URL.canParse(text) && protocols.test(text), `must look like ${example}`)
const timeZone = z
  .string()
  .refine(isTimeZone, 'must be an IANA time zone such as UTC, Europe/Berlin or America/Sao_Paulo')

/** Every variable, its default and what it allows. `.env.example` documents the same list and is tested against it. */
export const environmentSchema = z.object({
  GENESYS_CLIENT_ID: z.string().optional(),
  GENESYS_CLIENT_SECRET: z.string().optional(),
  GENESYS_CLIENT_SECRET_FILE: z.string().optional(),
  GENESYS_CLIENT_ID_FILE: z.string().optional(),
  GENESYS_ACCESS_TOKEN: z.string().optional(),
  GENESYS_ACCESS_TOKEN_FILE: z.string().optional(),
  GENESYS_ENVIRONMENT: z.string().default('mypurecloud.com'),
  GENESYS_API_URL: url(/^https?:/, 'https://api.mypurecloud.com').optional(),
  GENESYS_LOGIN_URL: url(/^https?:/, 'https://login.mypurecloud.com').optional(),
  GENESYS_REQUESTS_PER_MINUTE: wholeNumber(1, 3000).default(270),
  DATABASE_URL: z
    .string()
    .refine(
      (text) => text === 'embedded' || (URL.canParse(text) && /^postgres(ql)?:/.test(text)),
      'must be postgres://user:password@host:5432/database, or the word embedded',
    )
    .refine(hasKnownSslMode, `has an sslmode other than ${SSL_MODES.join(', ')}`)
    .optional(),
  DATABASE_URL_FILE: z.string().optional(),
  HISTORY_CRON: cron('HISTORY_CRON').default('15 2 * * *'),
  INTRADAY_CRON: z.union([z.literal('off'), cron('INTRADAY_CRON')]).default('20 * * * *'),
  HISTORY_LOOKBACK_DAYS: wholeNumber(0, 365).default(7),
  HISTORY_START: z
    .string()
    .refine(isDate, 'must be a date such as 2026-01-31')
    .transform((text) => new Date(`${text}T00:00:00.000Z`))
    .optional(),
  HISTORY_MEDIA_TYPES: z
    .string()
    .transform((text) => text.split(',').map((part) => part.trim()))
    .pipe(z.array(z.enum(MEDIA_TYPES, `must be a comma-separated list out of ${MEDIA_TYPES.join(', ')}`)))
    // part of the ledger's key: the same types in another order are the same history
    .transform((types) => [...new Set(types)].toSorted())
    .optional(),
  HISTORY_DIRECTION: z.enum(['inbound', 'outbound'], 'must be inbound or outbound').optional(),
  HISTORY_MIN_DURATION_SECONDS: wholeNumber(0, 86_400).optional(),
  HISTORY_CONCURRENCY: wholeNumber(1, 50).default(10),
  LIVE_CRON: cron('LIVE_CRON').default('* * * * *'),
  LIVE_SOURCE: z
    .enum(['analytics', 'conversations', 'off'], 'must be analytics, conversations or off')
    .default('analytics'),
  LIVE_RETENTION_HOURS: wholeNumber(1, 8760).default(72),
  WEBHOOK_URL: url(/^https?:/, 'https://example.com/hook').optional(),
  WEBHOOK_SECRET: z.string().optional(),
  WEBHOOK_SECRET_FILE: z.string().optional(),
  WEBHOOK_EVENTS: z
    .string()
    .transform((text) => text.split(',').map((part) => part.trim()))
    .pipe(
      z.array(
        z
          .string()
          .regex(
            WEBHOOK_EVENT,
            'must be a comma-separated list such as waiting,interacting,ended,waiting>120s out of ended and the states ' +
              'ivr, waiting, alerting, dialing, interacting, hold, acw, scheduled, other',
          ),
      ),
    )
    .default(['waiting', 'interacting', 'ended']),
  ALERT_WEBHOOK_URL: url(/^https?:/, 'https://example.com/alerts').optional(),
  CRON_TIMEZONE: timeZone.default('UTC'),
  HTTP_HOST: z.string().default('127.0.0.1'),
  HTTP_PORT: wholeNumber(0, 65_535).default(8080),
  HTTP_TOKEN: z.string().min(16, 'must have at least 16 characters').optional(),
  HTTP_TOKEN_FILE: z.string().optional(),
  AUTO_MIGRATE: z
    .enum(['true', 'false'], 'must be true or false')
    .default('true')
    .transform((text) => text === 'true'),
  LOG_LEVEL: z
    .enum(
      ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'],
      'must be fatal, error, warn, info, debug, trace or silent',
    )
    .default('info'),
})

/** What the history reads: part of the ledger's key, since a filtered read covers less. */
interface HistoryFilter {
  readonly mediaTypes?: readonly string[] | undefined
  readonly direction?: 'inbound' | 'outbound' | undefined
  readonly minDurationSeconds?: number | undefined
}

/** The settings, free of secrets. */
export interface Config {
  readonly genesys: {
    readonly apiUrl: string
    readonly loginUrl: string
    readonly requestsPerMinute: number
  }
  readonly history: {
    readonly cron: string
    readonly intradayCron: string
    readonly lookbackDays: number
    readonly start: Date | null
    readonly filter: HistoryFilter
    readonly concurrency: number
  }
  readonly live: {
    readonly cron: string
    readonly source: 'analytics' | 'conversations' | 'off'
    readonly retentionHours: number
  }
  /** Null: nothing is to be told. */
  readonly webhook: { readonly url: string; readonly events: readonly string[] } | null
  readonly alertUrl: string | null
  readonly cronTimezone: string
  readonly http: { readonly host: string; readonly port: number }
  readonly autoMigrate: boolean
  readonly logLevel: string
}

/** The secrets. Never logged, never part of an error. */
export interface Secrets {
  readonly credentials:
    | { readonly clientId: string; readonly clientSecret: string }
    | { readonly accessToken: string }
    | null
  /** A user's token, for what client credentials can't ask. */
  readonly accessToken: string | null
  readonly databaseUrl: string | null
  readonly webhookSecret: string | null
  /** Guards all of HTTP but its health; without one HTTP stays on loopback. */
  readonly httpToken: string | null
}

/** What a command can't do without. */
export interface Needs {
  readonly genesys?: boolean
  readonly database?: boolean
  /** Serves HTTP. */
  readonly http?: boolean
}

/**
 * Parses the environment.
 * @param env variables as strings; empty ones count as absent
 * @param needs what the command can't do without
 * @throws ConfigError that lists every problem
 */
export function parseEnvironment(
  env: Readonly<Record<string, string | undefined>>,
  needs: Needs = {},
): { config: Config; secrets: Secrets } {
  const problems: string[] = []
  const given = Object.fromEntries(
    Object.entries(env)
      .map(([name, value]) => [name, value?.trim()] as const)
      .filter(([name, value]) => name in environmentSchema.shape && value),
  )
  const parsed = environmentSchema.safeParse(given)
  for (const { path, message } of parsed.error?.issues ?? []) {
    const [name, position] = path.map(String) as [string, string?]
    const part = position === undefined ? '' : `${JSON.stringify(given[name]?.split(',')[Number(position)]?.trim())} `
    problems.push(`${name}: ${part}${message}`)
  }

  const secret = (name: string): string | undefined => {
    const file = given[`${name}_FILE`]
    if (given[name] && file) problems.push(`${name}: set ${name} or ${name}_FILE, not both`)
    if (!file) return given[name]
    try {
      return readFileSync(file, 'utf8').trim()
    } catch (error) {
      problems.push(`${name}_FILE: can't be read (${(error as NodeJS.ErrnoException).code ?? 'unknown error'})`)
      return undefined
    }
  }
  const clientId = secret('GENESYS_CLIENT_ID')
  const clientSecret = secret('GENESYS_CLIENT_SECRET')
  const accessToken = secret('GENESYS_ACCESS_TOKEN')
  const databaseUrl = secret('DATABASE_URL')
  const webhookSecret = secret('WEBHOOK_SECRET')
  const httpToken = secret('HTTP_TOKEN')
  if (given['WEBHOOK_URL'] && !webhookSecret) {
    problems.push(
      'WEBHOOK_SECRET: is needed with WEBHOOK_URL: base64 of 24 to 64 random bytes, as `openssl rand -base64 32` makes',
    )
  }
  if (needs.http && !httpToken && !isLoopback(given['HTTP_HOST'] ?? '127.0.0.1')) {
    problems.push(
      'HTTP_TOKEN: is needed when HTTP_HOST is not a loopback address: whoever can reach it could read the pages',
    )
  }
  if (needs.genesys && !accessToken) {
    if (!clientId)
      problems.push('GENESYS_CLIENT_ID: is needed: the id of an OAuth client with the grant "client credentials"')
    if (!clientSecret) problems.push('GENESYS_CLIENT_SECRET: is needed: the secret of that OAuth client')
  }
  if (needs.database && !databaseUrl && !problems.some((problem) => problem.startsWith('DATABASE_URL'))) {
    problems.push(
      'DATABASE_URL: is needed: postgres://user:password@host:5432/database for a Postgres of yours, ' +
        'or the word embedded for one that this program starts itself',
    )
  }
  const hosts = tryHosts(given, problems)
  if (!parsed.success || problems.length > 0) {
    throw new ConfigError(
      `The environment has ${problems.length === 1 ? 'a problem' : `${problems.length} problems`}:\n` +
        problems.map((problem) => `  ${problem}`).join('\n'),
      'Set them in the environment or in a file .env; .env.example explains every variable.',
    )
  }
  const data = parsed.data
  return {
    config: {
      genesys: { ...hosts, requestsPerMinute: data.GENESYS_REQUESTS_PER_MINUTE },
      history: {
        cron: data.HISTORY_CRON,
        intradayCron: data.INTRADAY_CRON,
        lookbackDays: data.HISTORY_LOOKBACK_DAYS,
        start: data.HISTORY_START ?? null,
        filter: {
          mediaTypes: data.HISTORY_MEDIA_TYPES,
          direction: data.HISTORY_DIRECTION,
          minDurationSeconds: data.HISTORY_MIN_DURATION_SECONDS,
        },
        concurrency: data.HISTORY_CONCURRENCY,
      },
      live: { cron: data.LIVE_CRON, source: data.LIVE_SOURCE, retentionHours: data.LIVE_RETENTION_HOURS },
      webhook: data.WEBHOOK_URL ? { url: data.WEBHOOK_URL, events: data.WEBHOOK_EVENTS } : null,
      alertUrl: data.ALERT_WEBHOOK_URL ?? null,
      cronTimezone: data.CRON_TIMEZONE,
      http: { host: data.HTTP_HOST, port: data.HTTP_PORT },
      autoMigrate: data.AUTO_MIGRATE,
      logLevel: data.LOG_LEVEL,
    },
    secrets: {
      credentials: clientId && clientSecret ? { clientId, clientSecret } : accessToken ? { accessToken } : null,
      accessToken: accessToken ?? null,
      databaseUrl: databaseUrl ?? null,
      webhookSecret: webhookSecret ?? null,
      httpToken: httpToken ?? null,
    },
  }
}

function tryHosts(given: Record<string, string | undefined>, problems: string[]): { apiUrl: string; loginUrl: string } {
  try {
    return resolveHosts({
      environment: given['GENESYS_ENVIRONMENT'] ?? 'mypurecloud.com',
      apiUrl: given['GENESYS_API_URL'],
      loginUrl: given['GENESYS_LOGIN_URL'],
    })
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    const [variable = ''] = error.message.split(' ')
    // the schema may have said so already
    if (!problems.some((problem) => problem.startsWith(`${variable}:`)))
      problems.push([error.message, error.hint].filter(Boolean).join('. '))
    return { apiUrl: '', loginUrl: '' }
  }
}

function hasKnownSslMode(databaseUrl: string): boolean {
  const mode = URL.canParse(databaseUrl) ? new URL(databaseUrl).searchParams.get('sslmode') : null
  return mode === null || SSL_MODES.some((known) => known === mode)
}

function isDate(text: string): boolean {
  if (!/^\d{4}-\d\d-\d\d$/.test(text)) return false
  const date = new Date(`${text}T00:00:00.000Z`)
  return !Number.isNaN(+date) && date.toISOString().startsWith(text)
}

function isTimeZone(name: string): boolean {
  try {
    return Intl.DateTimeFormat('en', { timeZone: name }).resolvedOptions().timeZone !== ''
  } catch {
    return false
  }
}
