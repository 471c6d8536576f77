/** `snapshot`: takes one live snapshot and prints its counts. */
import { openApp, type App } from '../app.ts'
import { ConfigError } from '../errors.ts'
import { createNames } from '../live/names.ts'
import { countQueues, sumMediaTypes } from '../live/queue-counts.ts'
import { createLiveJob } from '../live/snapshot-job.ts'
import type { LiveSummary } from '../live/take-snapshot.ts'
import type { LiveConversation } from '../live/state.ts'
import type { CommandContext } from './context.ts'
import { table, type Output } from './print.ts'

/**
 * Runs the command.
 * @throws ConfigError when LIVE_SOURCE is off; EtlError
 */
export async function snapshot(_options: object, { env, output, signal }: CommandContext): Promise<void> {
  await using app = await openApp(env, { genesys: true, database: true })
  const figures = await takeSnapshot(app, signal)
  output.data(figures)
  printLiveFigures(output, figures)
}

/** The counts of a snapshot. */
export interface LiveFigures {
  readonly snapshotAt: Date
  readonly conversations: number
  readonly byState: readonly { readonly state: string; readonly conversations: number }[]
  readonly byMedia: readonly { readonly mediaType: string | null; readonly conversations: number }[]
  /** Counts by state as in genesys.live_queues, media types together; other states are counted only in `conversations`. */
  readonly byQueue: readonly {
    readonly queueId: string | null
    /** Null: the database knows none. */
    readonly name: string | null
    readonly conversations: number
    readonly waiting: number
    readonly alerting: number
    readonly interacting: number
    readonly hold: number
    readonly acw: number
    readonly longestWaitSeconds: number | null
  }[]
  readonly ended: number
  readonly requests: number
  readonly durationMs: number
}

/**
 * Takes one snapshot of the app's source.
 * @throws ConfigError when LIVE_SOURCE is off; EtlError
 */
export async function takeSnapshot(app: App, signal: AbortSignal): Promise<LiveFigures> {
  const dependencies = app.liveDependencies()
  if (!dependencies) throw new ConfigError('LIVE_SOURCE is off', 'Set LIVE_SOURCE to analytics or conversations.')
  await app.ensureSchema()
  const summary = await createLiveJob(dependencies).tick(signal)
  // A new job has its full budget.
  if (!summary) throw new Error('the first snapshot was skipped')
  // the names of queues that are new
  await app.unknownIds.settled(signal)
  return await figuresOf(app, summary)
}

async function figuresOf(
  app: App,
  { at, conversations, ended, requests, durationMs }: LiveSummary,
): Promise<LiveFigures> {
  const queues = sumMediaTypes(countQueues(conversations, null, at))
  const queueIds = queues.map(({ queueId }) => queueId).filter((id) => id !== null)
  const nameOf = await createNames(app.warehouse.db, () => performance.now()).resolve({ queue: queueIds })
  return {
    snapshotAt: at,
    conversations: conversations.length,
    byState: count(conversations, ({ state }) => state).map(([state, count]) => ({ state, conversations: count })),
    byMedia: count(conversations, ({ mediaType }) => mediaType).map(([mediaType, count]) => ({
      mediaType,
      conversations: count,
    })),
    byQueue: queues
      .map(({ queueId, waiting, alerting, interacting, hold, acw, longestWaitSeconds, ...queue }) => ({
        queueId,
        name: queueId === null ? null : (nameOf('queue', queueId) ?? null),
        conversations: queue.conversations,
        waiting,
        alerting,
        interacting,
        hold,
        acw,
        longestWaitSeconds: longestWaitSeconds === null ? null : Math.round(longestWaitSeconds),
      }))
      .sort((a, b) => b.conversations - a.conversations),
    ended,
    requests,
    durationMs,
  }
}

function count<Key>(
  conversations: readonly LiveConversation[],
  key: (conversation: LiveConversation) => Key,
): [Key, number][] {
  const groups = Map.groupBy(conversations, key)
  return [...groups].map(([name, members]): [Key, number] => [name, members.length]).sort((a, b) => b[1] - a[1])
}

/** Prints the counts as tables. */
export function printLiveFigures(output: Output, figures: LiveFigures): void {
  const { snapshotAt, conversations, byState, byMedia, byQueue, ended, requests, durationMs } = figures
  output.line()
  output.line(
    `Open conversations at ${snapshotAt.toISOString().slice(0, 19)}Z: ${conversations} ` +
      `(${ended} ended since the snapshot before; ${requests} requests, ${(durationMs / 1000).toFixed(1)} s)`,
  )
  if (conversations === 0) return
  output.line()
  output.line(
    table(
      ['state', 'conversations'],
      byState.map((row) => [row.state, row.conversations]),
    ),
  )
  output.line()
  output.line(
    table(
      ['media type', 'conversations'],
      byMedia.map((row) => [row.mediaType, row.conversations]),
    ),
  )
  output.line()
  output.line(
    table(
      ['queue', 'conversations', 'waiting', 'alerting', 'interacting', 'hold', 'acw', 'longest wait (s)'],
      byQueue.map((row) => [
        row.name ?? row.queueId,
        row.conversations,
        row.waiting,
        row.alerting,
        row.interacting,
        row.hold,
        row.acw,
        row.longestWaitSeconds,
      ]),
    ),
  )
}
