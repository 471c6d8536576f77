import { openApp, type App } from '../app.ts'
import { ConfigError } from '../errors.ts'
import type { LiveConversation, LiveState } from '../live/state.ts'
import { createLiveJob, type LiveSummary } from '../live/snapshot-job.ts'
import { createNames } from '../live/names.ts'
import type { CommandContext } from './context.ts'
import { table, type Output } from './print.ts'

/** `snapshot`: one live snapshot, and what it counts. */
export async function snapshot(_options: object, { env, output, signal }: CommandContext): Promise<void> {
  await using app = await openApp(env, { genesys: true, database: true })
  const figures = await takeSnapshot(app, signal)
  output.data(figures)
  printLiveFigures(output, figures)
}

/** What a snapshot found, counted. */
export interface LiveFigures {
  readonly snapshotAt: Date
  readonly conversations: number
  readonly byState: readonly { readonly state: string; readonly conversations: number }[]
  readonly byMedia: readonly { readonly mediaType: string | null; readonly conversations: number }[]
  /** Counts by state as in genesys.live_queues, media types together; other states are only in `conversations`. */
  readonly byQueue: readonly {
    readonly queueId: string | null
    /** Null where the database knows none. */
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
 * @throws ConfigError where LIVE_SOURCE is off; EtlError
 */
export async function takeSnapshot(app: App, signal: AbortSignal): Promise<LiveFigures> {
  const dependencies = app.liveDependencies()
  if (!dependencies) throw new ConfigError('LIVE_SOURCE is off', 'Set LIVE_SOURCE to analytics or conversations.')
  await app.ensureSchema()
  const summary = await createLiveJob(dependencies).tick(signal)
  // A job that has just been made has its whole budget.
  if (!summary) throw new Error('the first snapshot was left out')
  return await figuresOf(app, summary)
}

async function figuresOf(
  app: App,
  { at, conversations, ended, requests, durationMs }: LiveSummary,
): Promise<LiveFigures> {
  const byQueue = Map.groupBy(conversations, ({ queueId }) => queueId)
  const nameOf = await createNames(app.warehouse.db).resolve({ queue: [...byQueue.keys()].filter((id) => id !== null) })
  const queues = [...byQueue].map(([queueId, members]) => ({
    queueId,
    name: queueId === null ? null : (nameOf('queue', queueId) ?? null),
    conversations: members.length,
    waiting: inState(members, 'waiting'),
    alerting: inState(members, 'alerting'),
    interacting: inState(members, 'interacting'),
    hold: inState(members, 'hold'),
    acw: inState(members, 'acw'),
    longestWaitSeconds: longestWait(members, at),
  }))
  return {
    snapshotAt: at,
    conversations: conversations.length,
    byState: count(conversations, ({ state }) => state).map(([state, count]) => ({ state, conversations: count })),
    byMedia: count(conversations, ({ mediaType }) => mediaType).map(([mediaType, count]) => ({
      mediaType,
      conversations: count,
    })),
    byQueue: queues.sort((a, b) => b.conversations - a.conversations),
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

function inState(conversations: readonly LiveConversation[], state: LiveState): number {
  return conversations.filter((each) => each.state === state).length
}

function longestWait(conversations: readonly LiveConversation[], at: Date): number | null {
  const waits = conversations.flatMap(({ waitingSince }) =>
    waitingSince === null ? [] : (at.getTime() - Date.parse(waitingSince)) / 1000,
  )
  return waits.length === 0 ? null : Math.max(0, Math.round(waits.reduce((a, b) => Math.max(a, b))))
}

/** Prints the counts for people. */
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
