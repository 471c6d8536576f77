/**
 * Delivers the outbox of the webhooks: at least once, in order for each conversation, signed by Standard Webhooks
 * (https://www.standardwebhooks.com). It runs beside the snapshots and never inside one: a dead receiver delays only its own
 * messages.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { Webhook } from 'standardwebhooks'
import { backoffMs, withJitter } from '../backoff.ts'
import { ConfigError } from '../errors.ts'
import type { Logger } from '../log.ts'
import { postJson, type PostFailure } from '../post-json.ts'
import type { Warehouse } from '../postgres/connect.ts'
import {
  giveUpMessages,
  GONE_MARK,
  markAllPending,
  markDelivered,
  markFailed,
  pruneMessages,
  takeMessages,
  type TakenMessage,
} from './outbox.ts'

export interface WebhookOptions {
  readonly warehouse: Warehouse
  readonly logger: Logger
  readonly url: string
  /** Base64 of 24 to 64 bytes, with or without `whsec_`; two of them, separated by a blank or a comma, during a rotation. */
  readonly secret: string
  /** Delivered messages are kept for this long. */
  readonly retentionHours: number
  readonly signal: AbortSignal
  readonly waits: DeliveryWaits
  /** HTTPS_PROXY, HTTP_PROXY and NO_PROXY are read from here. */
  readonly proxyEnv: NodeJS.ProcessEnv
}

/** All in milliseconds. */
export interface DeliveryWaits {
  /** Between two queries of the outbox when nothing wakes the delivery. */
  readonly idleMs: number
  /** Before the second attempt; doubles with each further one. */
  readonly firstRetryMs: number
  readonly maxRetryMs: number
  /** Limit for one attempt. */
  readonly timeoutMs: number
}

export interface WebhookDelivery {
  /** Call when the outbox may have new messages. */
  wake(): void
  /** Resolves after the signal, when the attempts in flight have ended. */
  readonly ended: Promise<void>
}

/** The waits of the service. */
export const DELIVERY_WAITS: DeliveryWaits = {
  idleMs: 5_000,
  firstRetryMs: 5_000,
  maxRetryMs: 1_800_000,
  timeoutMs: 10_000,
}

/** Messages in flight at once, each of another conversation. */
const CONCURRENCY = 10
const GIVE_UP_HOURS = 24
const HOUSEKEEPING_INTERVAL_MS = 60_000
/** The longest pause between two rounds while the receiver fails. */
const MAX_ROUND_PAUSE_MS = 30_000
/** 192 bits, the least that Standard Webhooks allows. */
const MIN_SECRET_BYTES = 24
const MAX_SECRETS = 2
const GONE = 410

/**
 * Starts delivering until the signal. An answer of 410 (Gone) ends the deliveries of this process: Standard Webhooks lets a
 * receiver disable its endpoint this way. The messages stay in the outbox with that reason.
 * @throws ConfigError when WEBHOOK_SECRET holds no usable secret, or more than two
 */
export function startWebhookDelivery(options: WebhookOptions): WebhookDelivery {
  const delivery = new Delivery(options)
  return { wake: () => delivery.wake(), ended: delivery.run() }
}

class Delivery {
  readonly #options: WebhookOptions
  readonly #log: Logger
  readonly #send: (message: TakenMessage) => Promise<PostFailure | null>
  readonly #alarm = createAlarm()
  #housekeepingAt = Number.NEGATIVE_INFINITY
  /** Rounds in a row in which no message was delivered. */
  #failedRounds = 0
  #isDisabled = false

  constructor(options: WebhookOptions) {
    this.#options = options
    this.#log = options.logger.child({ job: 'webhooks' })
    this.#send = createSender(options)
  }

  wake(): void {
    this.#alarm.ring()
  }

  /** Makes rounds until the signal. */
  async run(): Promise<void> {
    const { signal, waits } = this.#options
    while (!signal.aborted) {
      let isBusy = false
      try {
        await this.#keepHouseWhenDue()
        if (!this.#isDisabled) isBusy = await this.#runRound()
      } catch (error) {
        this.#log.warn({ err: error }, 'the webhook outbox could not be read or written; it will be retried')
      }
      if (this.#isDisabled) await pause(HOUSEKEEPING_INTERVAL_MS, signal)
      else if (this.#failedRounds > 0)
        await pause(Math.min(MAX_ROUND_PAUSE_MS, retryDelayMs(this.#failedRounds, waits)), signal)
      else if (!isBusy) await this.#alarm.wait(waits.idleMs, signal)
    }
  }

  async #keepHouseWhenDue(): Promise<void> {
    if (performance.now() - this.#housekeepingAt < HOUSEKEEPING_INTERVAL_MS) return
    this.#housekeepingAt = performance.now()
    await keepHouse(this.#options.warehouse, this.#options.retentionHours, this.#log)
  }

  /** Sends the due messages; false: there were none. */
  async #runRound(): Promise<boolean> {
    const { warehouse, waits } = this.#options
    // A receiver that fails is probed with one message, not with ten.
    const limit = this.#failedRounds > 0 ? 1 : CONCURRENCY
    const messages = await takeMessages(warehouse.db, limit, (3 * waits.timeoutMs) / 1000 + 5)
    const results = await Promise.all(messages.map((message) => this.#deliver(message)))
    if (messages.length > 0) this.#failedRounds = results.includes(true) ? 0 : this.#failedRounds + 1
    return messages.length > 0
  }

  async #deliver(message: TakenMessage): Promise<boolean> {
    const { warehouse, waits } = this.#options
    const failure = await this.#send(message)
    if (failure === null) {
      await markDelivered(warehouse.db, message.id)
      return true
    }
    const { messageId, attempts } = message
    const isGone = failure.status === GONE
    const reason = isGone
      ? `${failure.reason} ${GONE_MARK}: deliveries stop until the service is restarted`
      : failure.reason
    await markFailed(warehouse.db, message.id, reason, retryDelayMs(attempts, waits))
    if (isGone) await this.#disable(reason)
    else this.#log.warn({ messageId, attempts, reason }, 'a webhook was not delivered; it will be retried')
    return false
  }

  async #disable(reason: string): Promise<void> {
    if (this.#isDisabled) return
    this.#isDisabled = true
    this.#log.error(
      { reason },
      'webhook deliveries stop: fix the receiver or change WEBHOOK_URL, then restart the service',
    )
    await markAllPending(this.#options.warehouse.db, reason)
  }
}

/** Gives up messages that are too old, and deletes those whose retention is over. */
async function keepHouse(warehouse: Warehouse, retentionHours: number, log: Logger): Promise<void> {
  const givenUp = await giveUpMessages(warehouse.db, GIVE_UP_HOURS)
  if (givenUp > 0)
    log.error({ messages: givenUp }, `webhooks given up after ${GIVE_UP_HOURS} hours: see etl.webhook_outbox`)
  await pruneMessages(warehouse.db, retentionHours)
}

/** Makes the function that posts one message; it resolves with why that failed, or null. */
function createSender(options: WebhookOptions): (message: TakenMessage) => Promise<PostFailure | null> {
  const { url, proxyEnv, waits } = options
  const signers = parseSecrets(options.secret)
  return async ({ messageId, payload }) => {
    const body = JSON.stringify(payload)
    const sentAt = new Date()
    const headers = {
      'webhook-id': messageId,
      'webhook-timestamp': String(Math.floor(sentAt.getTime() / 1000)),
      'webhook-signature': signers.map((signer) => signer.sign(messageId, sentAt, body)).join(' '),
    }
    return await postJson(url, body, { headers, proxyEnv, timeoutMs: waits.timeoutMs })
  }
}

/** One signer for each secret: during a rotation receivers accept either signature. */
function parseSecrets(text: string): Webhook[] {
  const secrets = text.split(/[\s,]+/).filter((secret) => secret !== '')
  if (secrets.length === 0 || secrets.length > MAX_SECRETS)
    throw badSecret('must hold one secret, or two during a rotation')
  return secrets.map((secret) => {
    const bytes = Buffer.from(secret.replace(/^whsec_/, ''), 'base64').length
    if (bytes < MIN_SECRET_BYTES)
      throw badSecret(`a secret must be base64 of ${MIN_SECRET_BYTES} to 64 random bytes, and one has ${bytes}`)
    try {
      return new Webhook(secret)
    } catch {
      throw badSecret(`a secret must be base64 of ${MIN_SECRET_BYTES} to 64 random bytes, and one is not base64`)
    }
  })
}

function badSecret(problem: string): ConfigError {
  return new ConfigError(`WEBHOOK_SECRET: ${problem}`, 'Generate one with: openssl rand -base64 32')
}

/** Doubles with each attempt; half of it is random, so that a receiver that recovers is not overrun. */
function retryDelayMs(attempts: number, waits: DeliveryWaits): number {
  const limits = { baseMs: waits.firstRetryMs, ceilingMs: waits.maxRetryMs }
  return withJitter(backoffMs(attempts, limits), Math.random())
}

/** A wait that `ring` ends early; a ring before the wait ends it at once. */
function createAlarm(): { ring(this: void): void; wait(ms: number, signal: AbortSignal): Promise<void> } {
  let hasRung = false
  let endWait: (() => void) | null = null
  return {
    ring() {
      hasRung = true
      endWait?.()
    },
    async wait(ms, signal) {
      const rung = new AbortController()
      endWait = () => rung.abort()
      if (!hasRung) await pause(ms, AbortSignal.any([signal, rung.signal]))
      endWait = null
      hasRung = false
    },
  }
}

/** Sleeps; an abort ends it early, without an error. */
async function pause(ms: number, signal: AbortSignal): Promise<void> {
  try {
    await sleep(ms, undefined, { signal })
  } catch {
    // Aborted: the caller checks the signal.
  }
}
