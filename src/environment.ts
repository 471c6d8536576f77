/** The variables of the environment: every name, its default, and what its value must look like. */
import { MEDIA_TYPES } from './genesys/details-filter.ts'
import { EVENT_RULES_HINT, parseEventRule } from './live/transitions.ts'
import { describeUrlProblem } from './postgres/connection-url.ts'
import { z } from 'zod'
import { isCronLine } from './cron.ts'

const cron = (name: string) =>
  z
    .string()
    .refine(
      isCronLine,
      `must be a cron line such as '15 2 * * *' (${name}: minute hour day month weekday; with six fields, the first one is for seconds)`,
    )
const yesOrNo = (byDefault: 'true' | 'false') =>
  z
    .enum(['true', 'false'], 'must be true or false')
    .default(byDefault)
    .transform((text) => text === 'true')
const wholeNumber = (from: number, to: number) =>
  z
    .string()
    .regex(/^\d+$/, `must be a whole number from ${from} to ${to}`)
    .transform(Number)
    .refine((value) => value >= from && value <= to, `must be a whole number from ${from} to ${to}`)
const monthsOrOff = z
  .string()
  .refine(
    (text) => text === 'off' || /^(?:[1-9]\d?|1\d\d|2[0-3]\d|240)$/.test(text),
    'must be off or a whole number from 1 to 240',
  )
  .transform((text) => (text === 'off' ? null : Number(text)))
  .default(null)
const url = (protocols: RegExp, example: string) =>
  z.string().refine((text) => URL.canParse(text) && protocols.test(text), `must look like ${example}`)
const eventRule = z.string().transform((text, context) => {
  const rule = parseEventRule(text)
  if (rule) return rule
  context.addIssue({ code: 'custom', message: EVENT_RULES_HINT })
  return z.NEVER
})
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
    .superRefine((text, context) => {
      const problem = text === 'embedded' ? null : describeUrlProblem(text)
      if (problem) context.addIssue({ code: 'custom', message: problem })
    })
    .optional(),
  DATABASE_URL_FILE: z.string().optional(),
  HISTORY_CRON: cron('HISTORY_CRON').default('15 2 * * *'),
  INTRADAY_CRON: z.union([z.literal('off'), cron('INTRADAY_CRON')]).default('20 * * * *'),
  HISTORY_LOOKBACK_DAYS: wholeNumber(0, 365).default(7),
  HISTORY_SETTLE_DAYS: wholeNumber(0, 60).default(4),
  HISTORY_DEEP_CRON: z.union([z.literal('off'), cron('HISTORY_DEEP_CRON')]).default('30 3 * * 0'),
  HISTORY_DEEP_LOOKBACK_DAYS: wholeNumber(0, 365).default(30),
  HISTORY_START: z
    .string()
    .refine(isDate, 'must be a date such as 2026-01-31')
    .transform((text) => new Date(`${text}T00:00:00.000Z`))
    .optional(),
  HISTORY_RETENTION_MONTHS: monthsOrOff,
  HISTORY_MEDIA_TYPES: z
    .string()
    .transform((text) => text.split(',').map((part) => part.trim()))
    .pipe(z.array(z.enum(MEDIA_TYPES, `must be a comma-separated list of ${MEDIA_TYPES.join(', ')}`)))
    // part of the ledger's key: the order of the types must not matter
    .transform((types) => [...new Set(types)].toSorted())
    .optional(),
  HISTORY_DIRECTION: z.enum(['inbound', 'outbound'], 'must be inbound or outbound').optional(),
  HISTORY_MIN_DURATION_SECONDS: wholeNumber(0, 86_400).optional(),
  HISTORY_CONCURRENCY: wholeNumber(1, 50).default(10),
  HISTORY_ATTRIBUTES: z.enum(['auto', 'true', 'false'], 'must be auto, true or false').default('auto'),
  HISTORY_JOB_PAGE_SIZE: wholeNumber(1, 10_000).default(1000),
  PII: z.enum(['keep', 'hash', 'drop'], 'must be keep, hash or drop').default('keep'),
  PII_AGENTS: z.enum(['keep', 'hash'], 'must be keep or hash').default('keep'),
  PII_KEY: z.string().min(32, 'must have at least 32 characters').optional(),
  PII_KEY_FILE: z.string().optional(),
  PII_RETENTION_MONTHS: monthsOrOff,
  REFERENCE_CRON: z.union([z.literal('off'), cron('REFERENCE_CRON')]).default('5 * * * *'),
  RECONCILE_CRON: z.union([z.literal('off'), cron('RECONCILE_CRON')]).default('45 4 * * *'),
  GDPR_CRON: z.union([z.literal('off'), cron('GDPR_CRON')]).default('off'),
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
    .pipe(z.array(eventRule))
    .prefault('waiting,interacting,ended'),
  ALERT_WEBHOOK_URL: url(/^https?:/, 'https://example.com/alerts').optional(),
  CRON_TIMEZONE: timeZone.default('UTC'),
  HTTP_HOST: z.string().default('127.0.0.1'),
  HTTP_PORT: wholeNumber(0, 65_535).default(8080),
  HTTP_TOKEN: z.string().min(16, 'must have at least 16 characters').optional(),
  HTTP_TOKEN_FILE: z.string().optional(),
  HTTP_SHOW_PERSONAL: yesOrNo('false'),
  AUTO_MIGRATE: yesOrNo('true'),
  ALLOW_INSECURE_HTTP: yesOrNo('false'),
  LOG_LEVEL: z
    .enum(
      ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'],
      'must be fatal, error, warn, info, debug, trace or silent',
    )
    .default('info'),
})

/** The variables that are set, without blanks around their values; empty ones count as absent. */
export type GivenVariables = Readonly<Partial<Record<string, string>>>

/** Picks our variables from an environment. */
export function givenVariables(env: Readonly<Record<string, string | undefined>>): GivenVariables {
  return Object.fromEntries(
    Object.entries(env)
      .map(([name, value]) => [name, value?.trim()] as const)
      .filter(([name, value]) => Object.hasOwn(environmentSchema.shape, name) && value),
  )
}

/** Names that begin like this are meant for us. Kubernetes makes GENESYS_ETL_… for a service of that name. */
const OUR_PREFIXES =
  /^(?:GENESYS_(?!ETL_)|HISTORY_|INTRADAY_|LIVE_|REFERENCE_|RECONCILE_|GDPR_|PII_|WEBHOOK_|ALERT_WEBHOOK_|CRON_)/
/** Names of others that differ little from ours. */
const NAMES_OF_OTHERS = new Set(['HTTP_PROXY', 'LOGLEVEL'])
/** A name with more typing errors than this is another name … */
const TYPING_ERRORS = 2
/** … and so is one with more than one in so many letters: PWD, which every shell sets, is not PII. */
const LETTERS_PER_ERROR = 4

/** Variables that are probably meant for us but unknown, each with a sentence that names the nearest one that is known. */
export function unknownVariables(names: Iterable<string>): string[] {
  const known = Object.keys(environmentSchema.shape)
  return [...names].sort().flatMap((name) => {
    if (known.includes(name) || NAMES_OF_OTHERS.has(name)) return []
    const upper = name.toUpperCase()
    const isOurs = OUR_PREFIXES.test(upper)
    const candidates = isOurs ? known : known.filter((word) => Math.abs(word.length - upper.length) <= TYPING_ERRORS)
    const [nearest, distance] = nearestOf(upper, candidates)
    if (!isOurs && distance > Math.min(TYPING_ERRORS, nearest.length / LETTERS_PER_ERROR)) return []
    const isNear = distance <= nearest.length / 3
    return [`${name}: is not a variable of genesys-etl${isNear ? `; did you mean ${nearest}?` : ''}`]
  })
}

/** The word with the smallest edit distance to `text`, and that distance. */
export function nearestOf(text: string, words: readonly string[]): [word: string, distance: number] {
  let nearest: [string, number] = ['', Number.POSITIVE_INFINITY]
  for (const word of words) {
    const distance = editDistance(text, word)
    if (distance < nearest[1]) nearest = [word, distance]
  }
  return nearest
}

/** Levenshtein's distance, with an exchange of neighbours as one edit. */
function editDistance(a: string, b: string): number {
  let beforeLast: number[] = []
  let last = Array.from({ length: b.length + 1 }, (_, column) => column)
  for (let row = 1; row <= a.length; row++) {
    const current = [row]
    for (let column = 1; column <= b.length; column++) {
      const isSame = a[row - 1] === b[column - 1]
      const isExchange = row > 1 && column > 1 && a[row - 1] === b[column - 2] && a[row - 2] === b[column - 1]
      current[column] = Math.min(
        (last[column] ?? 0) + 1,
        (current[column - 1] ?? 0) + 1,
        (last[column - 1] ?? 0) + Number(!isSame),
        isExchange ? (beforeLast[column - 2] ?? 0) + 1 : Number.POSITIVE_INFINITY,
      )
    }
    beforeLast = last
    last = current
  }
  return last[b.length] ?? 0
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
