/**
 * Delivers the outbox of the webhooks: at least once, in order for each conversation, signed by Standard Webhooks
 * (https://www.standardwebhooks.com). It runs beside the snapshots and never in one: a dead receiver delays only itself.
 */
import http from 'node:http'
import https from 'node:https'
import { setTimeout as sleep } from 'node:timers/promises'
import { create as createAxios, isAxiosError } from 'axios'
import { Webhook } from 'standardwebhooks'
import { ConfigError } from '../errors.ts'
import type { Logger } from '../log.ts'
import { isLoopback } from '../loopback.ts'
import type { Warehouse } from '../postgres/connect.ts'
import { giveUpMessages, markDelivered, markFailed, pruneMessages, takeMessages, type TakenMessage } from './outbox.ts'

export interface WebhookOptions {
  readonly warehouse: Warehouse
  readonly logger: Logger
  readonly url: string
  /** Base64 of 24 to 64 bytes, with or without `whsec_`. */
  readonly secret: string
  /** Delivered messages are kept for so many hours. */
  readonly retentionHours: number
  readonly signal: AbortSignal
  /** Shorter waits, for tests. */
  readonly waits?: Partial<Waits>
  /** HTTPS_PROXY and so on are read from here. */
  readonly proxyEnv?: NodeJS.ProcessEnv
}

interface Waits {
  /** Between looks into the outbox, when nothing wakes us. */
  readonly idleMs: number
  /** Before the first further attempt; doubles with each. */
  readonly firstRetryMs: number
  readonly longestRetryMs: number
  readonly timeoutMs: number
}

export interface WebhookDelivery {
  /** There is something new in the outbox. */
  wake(): void
  /** Resolves when what is under way has ended, after the signal. */
  readonly ended: Promise<void>
}

const defaultWaits: Waits = { idleMs: 5_000, firstRetryMs: 5_000, longestRetryMs: 1_800_000, timeoutMs: 10_000 }
/** Messages under way at once, each of another conversation. */
const AT_ONCE = 10
const GIVE_UP_HOURS = 24
const HOUSEKEEPING_MS = 60_000

/**
 * Starts delivering until the signal.
 * @throws ConfigError when the secret is none
 */
export function startWebhookDelivery(options: WebhookOptions): WebhookDelivery {
  const { warehouse, signal } = options
  const waits = { ...defaultWaits, ...options.waits }
  const log = options.logger.child({ job: 'webhooks' })
  const post = createSender(options, waits.timeoutMs)
  const bell = createBell()
  let keptAt = Number.NEGATIVE_INFINITY
  /** Rounds in a row in which nothing got through. */
  let failedRounds = 0

  /** Sends what is due; false: there was nothing. */
  async function round(): Promise<boolean> {
    // A receiver that does not answer is asked with one message, not with ten.
    const messages = await takeMessages(warehouse.db, failedRounds > 0 ? 1 : AT_ONCE, (3 * waits.timeoutMs) / 1000 + 5)
    const results = await Promise.all(messages.map(deliver))
    if (messages.length > 0) failedRounds = results.includes(true) ? 0 : failedRounds + 1
    return messages.length > 0
  }

  async function deliver(message: TakenMessage): Promise<boolean> {
    const problem = await post(message)
    if (problem === null) {
      await markDelivered(warehouse.db, message.id)
      return true
    }
    await markFailed(warehouse.db, message.id, problem, retryMs(message.attempts, waits))
    log.warn(
      { messageId: message.messageId, attempts: message.attempts, problem },
      'webhook not delivered; tried again',
    )
    return false
  }

  async function housekeeping(): Promise<void> {
    if (performance.now() - keptAt < HOUSEKEEPING_MS) return
    keptAt = performance.now()
    const givenUp = await giveUpMessages(warehouse.db, GIVE_UP_HOURS)
    if (givenUp > 0) {
      log.error({ messages: givenUp }, `webhooks given up after ${GIVE_UP_HOURS} hours: see etl.webhook_outbox`)
    }
    await pruneMessages(warehouse.db, options.retentionHours)
  }

  async function run(): Promise<void> {
    while (!signal.aborted) {
      let isBusy = false
      try {
        await housekeeping()
        isBusy = await round()
      } catch (error) {
        log.warn({ err: error }, 'the outbox of the webhooks could not be read; tried again')
      }
      if (failedRounds > 0) await pause(Math.min(30_000, retryMs(failedRounds, waits)), signal)
      else if (!isBusy) await bell.wait(waits.idleMs, signal)
    }
  }

  return { wake: bell.ring, ended: run() }
}

/** Posts a message; gives how it failed, or null. */
function createSender(options: WebhookOptions, timeoutMs: number): (message: TakenMessage) => Promise<string | null> {
  const { url, secret, proxyEnv = process.env } = options
  const signer = signerOf(secret)
  const agentOptions = { keepAlive: true, proxyEnv: isLoopback(new URL(url).hostname) ? {} : proxyEnv }
  const client = createAxios({
    httpAgent: new http.Agent(agentOptions),
    httpsAgent: new https.Agent(agentOptions),
    maxRedirects: 0,
    maxContentLength: 65_536,
    responseType: 'text',
  })
  return async ({ messageId, payload }) => {
    const body = JSON.stringify(payload)
    const sentAt = new Date()
    const headers = {
      'Content-Type': 'application/json',
      'User-Agent': 'genesys-etl',
      'webhook-id': messageId,
      'webhook-timestamp': String(Math.floor(sentAt.getTime() / 1000)),
      'webhook-signature': signer.sign(messageId, sentAt, body),
    }
    try {
      await client.post(url, body, { headers, signal: AbortSignal.timeout(timeoutMs) })
      return null
    } catch (error) {
      if (!isAxiosError(error)) throw error
      // Nothing of the answer's body: it may hold anything.
      if (error.response) return `the receiver answered ${error.response.status}`
      return error.code === 'ERR_CANCELED' ? 'no answer in time' : `no connection (${error.code ?? 'unknown'})`
    }
  }
}

function signerOf(secret: string): Webhook {
  try {
    return new Webhook(secret)
  } catch {
    throw new ConfigError(
      'WEBHOOK_SECRET: must be base64 of 24 to 64 random bytes',
      'Make one with: openssl rand -base64 32',
    )
  }
}

/** Doubles with each attempt, half of it by chance: receivers that come back are not run over. */
function retryMs(attempts: number, waits: Waits): number {
  const ceiling = Math.min(waits.longestRetryMs, waits.firstRetryMs * 2 ** Math.min(30, attempts - 1))
  return ceiling * (0.5 + Math.random() / 2)
}

/** Waits until rung, or for a time. */
function createBell(): { ring(this: void): void; wait(ms: number, signal: AbortSignal): Promise<void> } {
  let rung = false
  let answer: (() => void) | null = null
  return {
    ring() {
      rung = true
      answer?.()
    },
    async wait(ms, signal) {
      const bell = new AbortController()
      answer = () => bell.abort()
      if (!rung) await pause(ms, AbortSignal.any([signal, bell.signal]))
      answer = null
      rung = false
    },
  }
}

/** Sleeps; an abort only ends it. */
async function pause(ms: number, signal: AbortSignal): Promise<void> {
  try {
    await sleep(ms, undefined, { signal })
  } catch {
    // awake early
  }
}
