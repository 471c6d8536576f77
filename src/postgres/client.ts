import { AsyncLocalStorage } from 'node:async_hooks'
import type { Socket } from 'node:net'
import { Client, type ClientBase, type ClientConfig } from 'pg'
import { Interrupted } from '../errors.ts'
import { offersTls } from './tls.ts'

/** What node-postgres keeps of a connection beneath a client; its types leave it out. */
interface Wire {
  readonly stream: Socket
  ssl: unknown
  on(event: 'readyForQuery', listener: () => void): void
  on(event: 'errorMessage', listener: (message: { readonly code?: string }) => void): void
}

/** A busy connection is checked this often; one on which no byte has moved between two checks is destroyed. COPY moves bytes. */
const SILENCE_CHECK_MS = 5 * 60_000
/** What a query may still take once the job it belongs to has been stopped by a signal; also to record how the job ended. */
const ABORT_GRACE_MS = 10_000
/** read_only_sql_transaction */
const READ_ONLY = '25006'

const jobSignal = new AsyncLocalStorage<AbortSignal>()

/**
 * Runs `work`, whose queries do not outlive the signal: one that is being answered when it aborts is destroyed with its connection,
 * at once, or after 10 s where the process was asked to stop, so that it can finish what it is writing. The signal's reason is
 * thrown then. Queries that start later, to record how the work ended, get 10 s each.
 */
export function withQueriesUnder<Result>(signal: AbortSignal, work: () => Promise<Result>): Promise<Result> {
  return jobSignal.run(signal, work)
}

/**
 * A connection that does not wait forever for a server that has gone silent (a proxy that is stuck, say, whose own side keeps the
 * connection alive), and that notices when its session can only read.
 */
export class WarehouseClient extends Client {
  /** true: a statement was refused because the session is read-only, which it may remain after the server is writable again. */
  isReadOnly = false
  readonly #prefersTls: boolean
  #unanswered = 0
  #stopWatching: (() => void) | undefined

  /** @param config `prefersTls`: encrypt if the server offers it, and connect in plain text otherwise */
  constructor(config: ClientConfig & { readonly prefersTls?: boolean } = {}) {
    super(config)
    this.#prefersTls = config.prefersTls === true && !this.host.startsWith('/')
    this.#wire.on('readyForQuery', () => {
      this.#unanswered = Math.max(0, this.#unanswered - 1)
      if (this.#unanswered === 0) this.#stopWatching?.()
    })
    this.#wire.on('errorMessage', ({ code }) => (this.isReadOnly ||= code === READ_ONLY))
    this.once('end', () => this.#stopWatching?.())
  }

  override connect(): Promise<this>
  override connect(callback: (error: Error) => void): void
  override connect(callback?: (error: Error) => void): Promise<this> | void {
    const connected = this.#negotiateTls().then(() => super.connect()) as unknown as Promise<this>
    if (callback === undefined) return connected
    // oxlint-disable-next-line promise/no-callback-in-promise -- the pool passes a callback
    connected.then(() => (callback as (error?: Error) => void)(), callback)
  }

  override query: Client['query'] = ((...args: Parameters<Client['query']>) => {
    this.#unanswered++
    this.#watch(jobSignal.getStore())
    return super.query(...args)
  }) as Client['query']

  get #wire(): Wire {
    return (this as unknown as { readonly connection: Wire }).connection
  }

  async #negotiateTls(): Promise<void> {
    if (!this.#prefersTls || (await offersTls(this.host, this.port))) return
    ;(this as unknown as { ssl: boolean }).ssl = false
    this.#wire.ssl = false
  }

  #watch(signal: AbortSignal | undefined): void {
    this.#stopWatching?.()
    const { stream } = this.#wire
    const bytesMoved = () => stream.bytesRead + stream.bytesWritten
    let seen = bytesMoved()
    const silence = setInterval(() => {
      if (bytesMoved() === seen) stream.destroy(silent())
      seen = bytesMoved()
    }, SILENCE_CHECK_MS)
    silence.unref()
    let deadline: NodeJS.Timeout | undefined
    const destroyIn = (delayMs: number) => {
      deadline = setTimeout(() => stream.destroy(signal!.reason as Error), delayMs)
    }
    const onAbort = () => destroyIn(signal!.reason instanceof Interrupted ? ABORT_GRACE_MS : 0)
    if (signal?.aborted) destroyIn(ABORT_GRACE_MS)
    else signal?.addEventListener('abort', onAbort, { once: true })
    this.#stopWatching = () => {
      clearInterval(silence)
      clearTimeout(deadline)
      signal?.removeEventListener('abort', onAbort)
    }
  }
}

function silent(): Error {
  const message = `no answer and no progress for ${SILENCE_CHECK_MS / 60_000} minutes, so the connection was closed`
  return Object.assign(new Error(message), { code: 'ETIMEDOUT' })
}

/** Whether a connection of the pool must not be used again, though it answers. */
export function isUnusable(client: ClientBase): boolean {
  return client instanceof WarehouseClient && client.isReadOnly
}

/** Closes a connection without waiting for the server. */
export function destroy(client: ClientBase): void {
  ;(client as unknown as { readonly connection: Wire }).connection.stream.destroy()
}
