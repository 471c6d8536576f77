/**
 * The environment, parsed once. Everything else takes its settings as arguments. All problems are reported together, each with the
 * variable's name and what is allowed. Secrets are kept apart from the settings, so that settings can be logged.
 */
import { readFileSync } from 'node:fs'
import { type z } from 'zod'
import { environmentSchema, givenVariables, nearestOf, unknownVariables, type GivenVariables } from './environment.ts'
import { ConfigError } from './errors.ts'
import { REGIONS, resolveHosts } from './genesys/regions.ts'
import { type EventRule } from './live/transitions.ts'
import { isLoopback } from './loopback.ts'
import { shortestDays } from './model/retention.ts'
import { type PersonalPolicy } from './model/personal.ts'

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
    /** When days beyond the lookback are read again; null: never. */
    readonly deepCron: string | null
    readonly deepLookbackDays: number
    /** Days after its end from which on a conversation counts as final. */
    readonly settleDays: number
    readonly start: Date | null
    /** How many months before the current one are kept; null: all of them. */
    readonly retentionMonths: number | null
    readonly filter: HistoryFilter
    readonly concurrency: number
    /** Whether participant attributes are loaded, which only details jobs deliver; `auto`: where these are permitted. */
    readonly attributes: 'auto' | 'true' | 'false'
    /** Conversations per page of the results of details jobs. */
    readonly jobPageSize: number
  }
  /** What is stored of personal data. */
  readonly personalData: Pick<PersonalPolicy, 'customers' | 'employees'> & {
    /** Months before the current one whose conversations keep personal data; null: all months. */
    readonly retentionMonths: number | null
  }
  readonly reference: { readonly cron: string }
  /** When numbers are compared with Genesys; null: never. */
  readonly reconcileCron: string | null
  /** When completed deletions of Genesys are applied; null: never. */
  readonly gdprCron: string | null
  readonly live: {
    readonly cron: string
    readonly source: 'analytics' | 'conversations' | 'off'
    readonly retentionHours: number
  }
  /** Null: there are no webhooks. */
  readonly webhook: { readonly url: string; readonly events: readonly EventRule[] } | null
  readonly alertUrl: string | null
  readonly cronTimezone: string
  readonly http: {
    readonly host: string
    readonly port: number
    /** Whether the page of a conversation shows addresses and notes. */
    readonly showPersonal: boolean
  }
  readonly autoMigrate: boolean
  readonly logLevel: string
}

/** The secrets. Never logged, never part of an error. */
export interface Secrets {
  readonly credentials:
    | { readonly clientId: string; readonly clientSecret: string }
    | { readonly accessToken: string }
    | null
  /** A user's token, for what client credentials may not read. */
  readonly accessToken: string | null
  readonly databaseUrl: string | null
  readonly webhookSecret: string | null
  /** Key of the hashes that stand for personal data. */
  readonly personalDataKey: string | null
  /** Guards all of HTTP but the health checks; without one HTTP stays on loopback. */
  readonly httpToken: string | null
}

/** What a command needs. */
export interface Needs {
  readonly genesys?: boolean
  readonly database?: boolean
  /** Serves HTTP. */
  readonly http?: boolean
}

/** A parsed environment. */
export interface Settings {
  readonly config: Config
  readonly secrets: Secrets
  /** What is accepted but probably wrong, one sentence each. */
  readonly warnings: readonly string[]
}

/** The limit of the API for one OAuth client, unless Genesys has raised it. */
const API_REQUESTS_PER_MINUTE = 300
/** The clock of this machine may be wrong, and dates begin elsewhere earlier. */
const FUTURE_TOLERANCE_MS = 24 * 3_600_000

/**
 * Parses the environment.
 * @param env variables as strings; empty ones count as absent
 * @param needs what the command needs
 * @throws ConfigError that lists every problem
 */
export function parseEnvironment(
  env: Readonly<Record<string, string | undefined>>,
  needs: Needs = {},
  now = new Date(),
): Settings {
  const problems: string[] = []
  const given = withSecretFiles(givenVariables(env), problems)
  const parsed = environmentSchema.safeParse(given)
  if (parsed.error) problems.push(...schemaProblems(parsed.error, given))
  const hosts = readHosts(given, problems)
  problems.push(
    ...missingVariables(given, needs),
    ...insecureUrls(given),
    ...(parsed.data ? impossibleValues(parsed.data, now) : []),
  )
  if (!parsed.data || problems.length > 0) throw environmentError([...problems, ...unknownVariables(Object.keys(env))])
  const warnings = [...unknownVariables(Object.keys(env)), ...doubtfulValues(parsed.data, given)]
  return { config: toConfig(parsed.data, hosts), secrets: toSecrets(given), warnings }
}

type Values = z.infer<typeof environmentSchema>

function environmentError(problems: readonly string[]): ConfigError {
  return new ConfigError(
    `The environment has ${problems.length === 1 ? 'a problem' : `${problems.length} problems`}:\n` +
      problems.map((problem) => `  ${problem}`).join('\n'),
    'Set the variables in the environment or in a file .env; .env.example explains each of them.',
  )
}

function schemaProblems(error: z.ZodError, given: GivenVariables): string[] {
  return error.issues.map(({ path, message }) => {
    const [name = '', position] = path.map(String)
    const part = position === undefined ? '' : `${JSON.stringify(given[name]?.split(',')[Number(position)]?.trim())} `
    return `${name}: ${part}${message}`
  })
}

const SECRETS = [
  'GENESYS_CLIENT_ID',
  'GENESYS_CLIENT_SECRET',
  'GENESYS_ACCESS_TOKEN',
  'DATABASE_URL',
  'WEBHOOK_SECRET',
  'PII_KEY',
  'HTTP_TOKEN',
] as const

/** Adds the secrets that are in the files that NAME_FILE names, so that they are checked like the others. */
function withSecretFiles(given: GivenVariables, problems: string[]): GivenVariables {
  const all = { ...given }
  for (const name of SECRETS) {
    const file = given[`${name}_FILE`]
    if (file === undefined) continue
    if (given[name] !== undefined) problems.push(`${name}: set ${name} or ${name}_FILE, not both`)
    try {
      all[name] = readFileSync(file, 'utf8')
        .replace(/^\uFEFF/, '')
        .trim()
      if (all[name] === '') problems.push(`${name}_FILE: the file is empty`)
    } catch (error) {
      problems.push(`${name}_FILE: cannot be read (${(error as NodeJS.ErrnoException).code ?? 'unknown error'})`)
    }
  }
  return all
}

function toSecrets(given: GivenVariables): Secrets {
  const clientId = given['GENESYS_CLIENT_ID']
  const clientSecret = given['GENESYS_CLIENT_SECRET']
  const accessToken = given['GENESYS_ACCESS_TOKEN'] ?? null
  return {
    credentials: clientId && clientSecret ? { clientId, clientSecret } : accessToken ? { accessToken } : null,
    accessToken,
    databaseUrl: given['DATABASE_URL'] ?? null,
    webhookSecret: given['WEBHOOK_SECRET'] ?? null,
    personalDataKey: given['PII_KEY'] ?? null,
    httpToken: given['HTTP_TOKEN'] ?? null,
  }
}

function readHosts(given: GivenVariables, problems: string[]): { apiUrl: string; loginUrl: string } {
  try {
    return resolveHosts({
      environment: given['GENESYS_ENVIRONMENT'] ?? 'mypurecloud.com',
      apiUrl: given['GENESYS_API_URL'],
      loginUrl: given['GENESYS_LOGIN_URL'],
    })
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    const [variable = ''] = error.message.split(' ')
    // the schema may have reported it already
    if (!problems.some((problem) => problem.startsWith(`${variable}:`)))
      problems.push([error.message, error.hint].filter(Boolean).join('. '))
    return { apiUrl: '', loginUrl: '' }
  }
}

function missingVariables(given: GivenVariables, needs: Needs): string[] {
  const isMissing = (name: (typeof SECRETS)[number]): boolean => !given[name] && !given[`${name}_FILE`]
  const missing: string[] = []
  if (given['WEBHOOK_URL'] && isMissing('WEBHOOK_SECRET')) {
    missing.push(
      'WEBHOOK_SECRET: is needed with WEBHOOK_URL: base64 of 24 to 64 random bytes, for example from `openssl rand -base64 32`',
    )
  }
  if ((given['PII'] === 'hash' || given['PII_AGENTS'] === 'hash') && isMissing('PII_KEY')) {
    missing.push(
      'PII_KEY: is needed where personal data is hashed: at least 32 characters that nobody can guess, for example from `openssl rand -base64 32`',
    )
  }
  if (needs.http && isMissing('HTTP_TOKEN') && !isLoopback(given['HTTP_HOST'] ?? '127.0.0.1')) {
    missing.push(
      'HTTP_TOKEN: is needed when HTTP_HOST is not a loopback address: without it, anyone who can reach the port can read the pages',
    )
  }
  if (needs.genesys && isMissing('GENESYS_ACCESS_TOKEN')) {
    if (isMissing('GENESYS_CLIENT_ID'))
      missing.push('GENESYS_CLIENT_ID: is needed: the id of an OAuth client with the grant "client credentials"')
    if (isMissing('GENESYS_CLIENT_SECRET'))
      missing.push('GENESYS_CLIENT_SECRET: is needed: the secret of that OAuth client')
  }
  if (needs.database && isMissing('DATABASE_URL')) {
    missing.push(
      'DATABASE_URL: is needed: postgres://user:password@host:5432/database of your Postgres, or the word embedded for one that ' +
        'this program starts itself',
    )
  }
  return missing
}

/** Credentials and data would cross the network in clear text. */
function insecureUrls(given: GivenVariables): string[] {
  if (given['ALLOW_INSECURE_HTTP'] === 'true') return []
  return ['GENESYS_API_URL', 'GENESYS_LOGIN_URL', 'WEBHOOK_URL', 'ALERT_WEBHOOK_URL'].flatMap((name) => {
    const text = given[name]
    const url = text !== undefined && URL.canParse(text) ? new URL(text) : null
    if (url?.protocol !== 'http:' || isLoopback(url.hostname)) return []
    return [
      `${name}: plain http:// to another host is not encrypted; use https://, or set ALLOW_INSECURE_HTTP=true in a network that you trust`,
    ]
  })
}

function impossibleValues({ HISTORY_START: start }: Values, now: Date): string[] {
  if (!start || +start <= +now + FUTURE_TOLERANCE_MS) return []
  return ['HISTORY_START: lies in the future, so nothing would be loaded']
}

/** Values that may be meant, but hardly are. */
function doubtfulValues(values: Values, given: GivenVariables): string[] {
  const warnings: string[] = []
  // another server, such as the simulator, has other limits
  if (!given['GENESYS_API_URL'] && values.GENESYS_REQUESTS_PER_MINUTE > API_REQUESTS_PER_MINUTE) {
    warnings.push(
      `GENESYS_REQUESTS_PER_MINUTE: ${values.GENESYS_REQUESTS_PER_MINUTE} is more than the ${API_REQUESTS_PER_MINUTE} that the API ` +
        'allows an OAuth client; more requests will be refused with 429, unless Genesys has raised the limit of your organization',
    )
  }
  const isOverridden = given['GENESYS_API_URL'] !== undefined && given['GENESYS_LOGIN_URL'] !== undefined
  if (!isOverridden) warnings.push(...unknownRegion(values.GENESYS_ENVIRONMENT))
  warnings.push(...shortRetention(values))
  if (values.WEBHOOK_URL && values.LIVE_SOURCE === 'off') {
    warnings.push('WEBHOOK_URL: no message will be sent, because LIVE_SOURCE is off')
  }
  return warnings
}

/** E-mail threads go on for weeks after the last time that they were read. */
const THREAD_DAYS = 40

/** What is read again should be kept, too. */
function shortRetention(values: Values): string[] {
  const months = values.HISTORY_RETENTION_MONTHS
  if (months === null) return []
  const days = shortestDays(months)
  const read: readonly (readonly [string, number])[] = [
    ['HISTORY_LOOKBACK_DAYS', values.HISTORY_LOOKBACK_DAYS],
    ['HISTORY_DEEP_LOOKBACK_DAYS', values.HISTORY_DEEP_CRON === 'off' ? 0 : values.HISTORY_DEEP_LOOKBACK_DAYS],
    ['HISTORY_SETTLE_DAYS', values.HISTORY_SETTLE_DAYS],
    ['threads of e-mail and messages', THREAD_DAYS],
  ]
  const beyond = read.filter(([, needed]) => needed > days).map(([name, needed]) => `${name} (${needed} days)`)
  if (beyond.length === 0) return []
  return [
    `HISTORY_RETENTION_MONTHS: ${months} may keep only ${days} days beside the current month, which is less than what is read again for ` +
      `${beyond.join(', ')}: what lies before is not kept up to date`,
  ]
}

/** New regions keep appearing, so an unknown domain is used as it is. */
function unknownRegion(environment: string): string[] {
  const domains = Object.values(REGIONS)
  const domain = environment.toLowerCase().replace(/^(api|login|apps)\./, '')
  if (Object.hasOwn(REGIONS, domain) || domains.includes(domain)) return []
  const [nearest, distance] = nearestOf(domain, [...domains, ...Object.keys(REGIONS)])
  const suggestion = distance <= nearest.length / 3 ? `; did you mean ${nearest}?` : ''
  return [`GENESYS_ENVIRONMENT: ${domain} is no region of Genesys Cloud that this version knows${suggestion}`]
}

function toConfig(values: Values, hosts: { readonly apiUrl: string; readonly loginUrl: string }): Config {
  return {
    genesys: { ...hosts, requestsPerMinute: values.GENESYS_REQUESTS_PER_MINUTE },
    history: {
      cron: values.HISTORY_CRON,
      intradayCron: values.INTRADAY_CRON,
      lookbackDays: values.HISTORY_LOOKBACK_DAYS,
      deepCron: values.HISTORY_DEEP_CRON === 'off' ? null : values.HISTORY_DEEP_CRON,
      deepLookbackDays: values.HISTORY_DEEP_LOOKBACK_DAYS,
      settleDays: values.HISTORY_SETTLE_DAYS,
      start: values.HISTORY_START ?? null,
      retentionMonths: values.HISTORY_RETENTION_MONTHS,
      filter: {
        mediaTypes: values.HISTORY_MEDIA_TYPES,
        direction: values.HISTORY_DIRECTION,
        minDurationSeconds: values.HISTORY_MIN_DURATION_SECONDS,
      },
      concurrency: values.HISTORY_CONCURRENCY,
      attributes: values.HISTORY_ATTRIBUTES,
      jobPageSize: values.HISTORY_JOB_PAGE_SIZE,
    },
    personalData: {
      customers: values.PII,
      employees: values.PII_AGENTS,
      retentionMonths: values.PII_RETENTION_MONTHS,
    },
    reference: { cron: values.REFERENCE_CRON },
    reconcileCron: values.RECONCILE_CRON === 'off' ? null : values.RECONCILE_CRON,
    gdprCron: values.GDPR_CRON === 'off' ? null : values.GDPR_CRON,
    live: { cron: values.LIVE_CRON, source: values.LIVE_SOURCE, retentionHours: values.LIVE_RETENTION_HOURS },
    webhook: values.WEBHOOK_URL ? { url: values.WEBHOOK_URL, events: values.WEBHOOK_EVENTS } : null,
    alertUrl: values.ALERT_WEBHOOK_URL ?? null,
    cronTimezone: values.CRON_TIMEZONE,
    http: { host: values.HTTP_HOST, port: values.HTTP_PORT, showPersonal: values.HTTP_SHOW_PERSONAL },
    autoMigrate: values.AUTO_MIGRATE,
    logLevel: values.LOG_LEVEL,
  }
}
