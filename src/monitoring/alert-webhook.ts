/** Tells ALERT_WEBHOOK_URL when a job has failed or been late for long, once, and once more when that has ended. */
import {
  afterTelling,
  alertConditions,
  alertSteps,
  type AlertFacts,
  type AlertMessage,
  type Told,
} from './alert-rules.ts'
import type { StatusDocument } from './status.ts'
import { backoffMs } from '../backoff.ts'
import { EtlError } from '../errors.ts'
import type { Logger } from '../log.ts'
import type { Warehouse } from '../postgres/connect.ts'
import { withJobLock } from '../postgres/lock.ts'
import { selectMeta, upsertMeta } from '../postgres/meta.ts'

export interface AlertOptions {
  readonly warehouse: Warehouse
  readonly logger: Logger
  readonly url: string
  readonly readStatus: () => Promise<StatusDocument>
  /** What the process knows: see AlertFacts. */
  readonly facts: () => Pick<AlertFacts, 'isLiveOn' | 'liveLateSeconds' | 'fatalJobs'>
  /** Told which alerts are being told: for metrics. */
  readonly onTold?: (conditions: readonly string[]) => void
  readonly now?: () => Date
  readonly timeoutMs?: number
}

export interface Alerts {
  /** Looks once, and tells what is to be told. What can't be delivered is tried again at the next look. Never throws but the signal's reason. */
  check(signal: AbortSignal): Promise<void>
}

const META_KEY = 'alerts'

/**
 * Keeps what was told in etl.meta, under a lock, so that neither a restart nor a second process repeats it. While the database
 * is away, the memory of this process has to do.
 */
export function createAlerts(options: AlertOptions): Alerts {
  const { warehouse, logger, url, readStatus, facts, onTold, now = () => new Date(), timeoutMs = 10_000 } = options
  const createdAt = now()
  let remembered: Told = {}
  let awaySince: Date | null = null
  let failedDeliveries = 0
  let waitUntil = 0

  async function check(signal: AbortSignal): Promise<void> {
    try {
      const document = await readStatus()
      awaySince = null
      await withJobLock(warehouse, 'alerts', signal, async () => {
        remembered = { ...(await selectMeta<Told>(warehouse.db, META_KEY)), ...onlyHere(remembered) }
        await tell({ document, reason: null }, signal, (told) => upsertMeta(warehouse.db, META_KEY, told))
      })
    } catch (error) {
      signal.throwIfAborted()
      // another process of this database tells
      if (error instanceof EtlError && error.code === 'JOB_ALREADY_RUNNING') return
      awaySince ??= now()
      const reason = error instanceof EtlError ? error.message : null
      await tell({ document: null, reason }, signal, async () => {})
    }
  }

  async function tell(
    seen: { readonly document: StatusDocument | null; readonly reason: string | null },
    signal: AbortSignal,
    keep: (told: Told) => Promise<void>,
  ): Promise<void> {
    // what the books say is told by the database's clock, which need not be ours
    const at = seen.document?.at ?? now()
    const serviceStartedAt = new Date(+at - (+now() - +createdAt))
    const known = { ...facts(), serviceStartedAt, databaseAwaySince: awaySince, databaseReason: seen.reason }
    const conditions = alertConditions({ ...known, document: seen.document, now: at }, remembered)
    const { messages, noted } = alertSteps(remembered, conditions, at, seen.document !== null)
    if (JSON.stringify(noted) !== JSON.stringify(remembered)) await keep((remembered = noted))
    for (const message of messages) {
      if (+now() < waitUntil || !(await deliver(message, at, signal))) break
      // kept after each one: a crash in between repeats one message at most
      await keep((remembered = afterTelling(remembered, message)))
    }
    onTold?.(Object.keys(remembered))
  }

  async function deliver(message: AlertMessage, at: Date, signal: AbortSignal): Promise<boolean> {
    const about = { condition: message.condition.key, status: message.status }
    try {
      const answer = await fetch(url, {
        method: 'POST',
        headers: { 'Content-Type': 'application/json' },
        body: JSON.stringify(alertBody(message, at)),
        redirect: 'manual',
        signal: AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]),
      })
      await answer.body?.cancel()
      if (!answer.ok) throw new Error(`answered ${answer.status}`)
      failedDeliveries = 0
      logger.info(about, 'alert told')
      return true
    } catch (error) {
      signal.throwIfAborted()
      failedDeliveries += 1
      // a minute, doubling to an hour; the URL is a secret of its own (Slack), so it is in no log
      const waitMs = backoffMs(failedDeliveries, { baseMs: 60_000, ceilingMs: 3_600_000 })
      waitUntil = +now() + waitMs - 5_000
      logger.warn(
        { ...about, attempts: failedDeliveries, reason: reasonOf(error) },
        'an alert could not be delivered; it is tried again',
      )
      return false
    }
  }

  return { check }
}

/** Looks every minute until the signal or `stop`, which resolves when the look in progress has ended. */
export function startAlerting(
  alerts: Alerts,
  {
    logger,
    signal,
    everyMs = 60_000,
  }: { readonly logger: Logger; readonly signal: AbortSignal; readonly everyMs?: number },
): { stop(): Promise<void> } {
  let looking: Promise<void> | null = null
  const timer = setInterval(() => {
    looking ??= alerts
      .check(signal)
      .catch((error: unknown) => {
        if (!signal.aborted) logger.error({ err: error }, 'looking for alerts failed')
      })
      .finally(() => {
        looking = null
      })
  }, everyMs)
  signal.addEventListener('abort', () => clearInterval(timer), { once: true })
  return {
    async stop() {
      clearInterval(timer)
      await looking
    },
  }
}

/** What was told while the database was away, of which it can't know. */
function onlyHere(told: Told): Told {
  const { 'database-away': away } = told
  return away ? { 'database-away': away } : {}
}

/** The body: `text` as Slack and its likes show it, and the same as fields. No personal data. */
function alertBody({ status, condition, since }: AlertMessage, at: Date): Record<string, string | null> {
  const { key, title, detail, hint } = condition
  const sentences = status === 'raised' ? [title, detail, hint && `To do: ${hint}`] : [`Over: ${title}`]
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

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return 'unknown'
  const { code } = (error.cause ?? {}) as { code?: unknown }
  if (error.name === 'TimeoutError') return 'no answer in time'
  return typeof code === 'string' ? code : error.message.startsWith('answered ') ? error.message : 'no connection'
}
