/** Sends one alert to ALERT_WEBHOOK_URL when a job keeps failing or falls behind, and one when it recovers. */
import { backoffMs } from '../backoff.ts'
import { EtlError } from '../errors.ts'
import { type Logger } from '../log.ts'
import { postJson } from '../post-json.ts'
import { type Warehouse } from '../postgres/connect.ts'
import { withJobLock } from '../postgres/lock.ts'
import { selectMeta, upsertMeta } from '../postgres/meta.ts'
import {
  afterNotification,
  alertConditions,
  planNotifications,
  type AlertFacts,
  type AlertMessage,
  type SentAlerts,
} from './alert-rules.ts'
import { type StatusDocument } from './status.ts'

export interface AlertOptions {
  readonly warehouse: Warehouse
  readonly logger: Logger
  readonly url: string
  readonly readStatus: () => Promise<StatusDocument>
  /** What only the process knows: see AlertFacts. */
  readonly facts: () => Pick<AlertFacts, 'isLiveOn' | 'liveLateSeconds' | 'fatalJobs'>
  /** Called after each check with the keys of the alerts that are firing: for metrics. */
  readonly onNotified?: (conditions: readonly string[]) => void
  /** HTTPS_PROXY, HTTP_PROXY and NO_PROXY are read from here; default: the environment of the process. */
  readonly proxyEnv?: NodeJS.ProcessEnv
  readonly now?: () => Date
}

export interface Alerts {
  /**
   * Checks the conditions once and sends the notifications that are due. A failed delivery is retried by a later check.
   * @throws the signal's reason, nothing else
   */
  check(signal: AbortSignal): Promise<void>
}

const META_KEY = 'alerts'
const CHECK_INTERVAL_MS = 60_000
const DELIVERY_TIMEOUT_MS = 10_000
const FIRST_RETRY_MS = 60_000
const MAX_RETRY_MS = 3_600_000
/** Checks come every minute, some a little early: a retry that is due within this time is made now. */
const RETRY_TOLERANCE_MS = 5_000

/**
 * Keeps the sent alerts in etl.meta, under a lock, so that neither a restart nor a second process repeats one. While the
 * database is away, this process remembers them.
 */
export function createAlerts(options: AlertOptions): Alerts {
  const { warehouse, readStatus, facts, onNotified, now = () => new Date() } = options
  const createdAt = now()
  const deliver = createDelivery({ ...options, now })
  let sent: SentAlerts = {}
  let databaseAwaySince: Date | null = null

  async function check(signal: AbortSignal): Promise<void> {
    try {
      const document = await readStatus()
      databaseAwaySince = null
      await withJobLock(warehouse, 'alerts', signal, async () => {
        sent = { ...(await selectMeta<SentAlerts>(warehouse.db, META_KEY)), ...databaseAlertOf(sent) }
        await notify({ document, reason: null }, signal, () => upsertMeta(warehouse.db, META_KEY, sent))
      })
    } catch (error) {
      signal.throwIfAborted()
      // Another process of this database is sending the alerts.
      if (error instanceof EtlError && error.code === 'JOB_ALREADY_RUNNING') return
      databaseAwaySince ??= now()
      const reason = error instanceof EtlError ? error.message : null
      await notify({ document: null, reason }, signal, async () => {})
    }
  }

  async function notify(
    { document, reason }: { readonly document: StatusDocument | null; readonly reason: string | null },
    signal: AbortSignal,
    save: () => Promise<void>,
  ): Promise<void> {
    // The document is dated by the database's clock, which may differ from ours.
    const at = document?.at ?? now()
    const serviceStartedAt = new Date(+at - (+now() - +createdAt))
    const state = { document, databaseAwaySince, databaseReason: reason, serviceStartedAt, now: at }
    const conditions = alertConditions({ ...facts(), ...state }, sent)
    const plan = planNotifications(sent, conditions, at, document !== null)
    if (JSON.stringify(plan.sent) !== JSON.stringify(sent)) {
      sent = plan.sent
      await save()
    }
    for (const message of plan.messages) {
      if (!(await deliver(message, at, signal))) break
      sent = afterNotification(sent, message)
      // Saved after each message: a crash in between repeats at most one.
      await save()
    }
    onNotified?.(Object.keys(sent))
  }

  return { check }
}

/** Delivers a message; false: not delivered, or still waiting after an earlier failure. Waits one minute, doubling to an hour. */
function createDelivery({
  logger,
  url,
  proxyEnv = process.env,
  now,
}: Pick<AlertOptions, 'logger' | 'url' | 'proxyEnv'> & { readonly now: () => Date }): (
  message: AlertMessage,
  at: Date,
  signal: AbortSignal,
) => Promise<boolean> {
  let failures = 0
  let retryAt = 0
  return async (message, at, signal) => {
    if (+now() + RETRY_TOLERANCE_MS < retryAt) return false
    const about = { condition: message.condition.key, status: message.status }
    const body = JSON.stringify(alertBody(message, at))
    const failure = await postJson(url, body, { proxyEnv, timeoutMs: DELIVERY_TIMEOUT_MS, signal })
    if (failure) {
      failures += 1
      retryAt = +now() + backoffMs(failures, { baseMs: FIRST_RETRY_MS, ceilingMs: MAX_RETRY_MS })
      // The URL may be a secret (Slack): it appears in no log.
      logger.warn({ ...about, attempts: failures, reason: failure.reason }, 'alert not delivered; it will be retried')
      return false
    }
    failures = 0
    logger.info(about, 'alert sent')
    return true
  }
}

/** Checks every minute until the signal, or until `stop`, which resolves when the check in progress has ended. */
export function startAlerting(
  alerts: Alerts,
  { logger, signal }: { readonly logger: Logger; readonly signal: AbortSignal },
): { stop(): Promise<void> } {
  let checking: Promise<void> | null = null
  const timer = setInterval(() => {
    checking ??= alerts
      .check(signal)
      .catch((error: unknown) => {
        if (!signal.aborted) logger.error({ err: error }, 'checking the alert conditions failed')
      })
      .finally(() => {
        checking = null
      })
  }, CHECK_INTERVAL_MS)
  signal.addEventListener('abort', () => clearInterval(timer), { once: true })
  return {
    async stop() {
      clearInterval(timer)
      await checking
    },
  }
}

/** The alert that was sent while the database was away, which etl.meta cannot contain. */
function databaseAlertOf(sent: SentAlerts): SentAlerts {
  const { 'database-away': alert } = sent
  return alert ? { 'database-away': alert } : {}
}

/** The body: `text` as Slack and similar services show it, and the same as separate fields. No personal data. */
function alertBody({ status, condition, since }: AlertMessage, at: Date): Record<string, string | null> {
  const { key, title, detail, hint } = condition
  const sentences = status === 'raised' ? [title, detail, hint && `To do: ${hint}`] : [`Resolved: ${title}`]
  return {
    text: `genesys-etl: ${sentences.filter(Boolean).join('\n').replaceAll('<', '‹').replaceAll('>', '›')}`,
    service: 'genesys-etl',
    status,
    condition: key,
    title,
    detail,
    hint,
    since: since.toISOString(),
    at: at.toISOString(),
  }
}
