import { startHttpServer, type HttpServer } from '../../src/http/server.ts'
import type { LiveView } from '../../src/http/service-status.ts'
import { createLogger } from '../../src/log.ts'
import { sumCounts } from '../../src/live/queue-counts.ts'
import type { DayFigures } from '../../src/live/today-figures.ts'
import type { Today } from '../../src/live/today-store.ts'
import type { BusyAgent, QueueNow } from '../../src/live/wallboard.ts'

/** What makes a wallboard larger than usual. */
export interface Crowd {
  readonly queues?: number
  readonly agents?: number
  /** The longest wait of the first queue. */
  readonly longestSeconds?: number
  readonly ageSeconds?: number
  readonly conversations?: number
  readonly stretched?: boolean
  readonly error?: string | null
  /** Agents on queue could not be read. */
  readonly lacksAgents?: boolean
  readonly names?: readonly string[]
  /** Figures of the day have not been read. */
  readonly lacksToday?: boolean
}

function todayOf(queues: number, now: Date): Today {
  const figures = (queueId: string | null, offered: number): DayFigures => ({
    queueId,
    offered,
    answered: offered - 4,
    answerMs: offered * 21_000,
    abandoned: 4,
    answeredInTime: offered - 9,
    serviceLevelContacts: offered,
  })
  return {
    day: now.toISOString().slice(0, 10),
    timeZone: 'America/Argentina/ComodRivadavia',
    source: 'genesys',
    readAt: now,
    total: figures(null, 98_765),
    queues: Array.from({ length: queues }, (_, index) => figures(`queue-${index}`, 12_345 - index)),
  }
}

/** Serves a wallboard of the given size, without a database. */
export async function serveCrowd(crowd: () => Crowd): Promise<HttpServer> {
  const none = (): Promise<never> => Promise.reject(new Error('only the wallboard is served'))
  return await startHttpServer({
    host: '127.0.0.1',
    port: 0,
    logger: createLogger('silent'),
    token: null,
    ready: none,
    status: none,
    metrics: none,
    conversation: none,
    report: none,
    conversations: none,
    live: () => Promise.resolve(crowdedView(crowd())),
  })
}

function crowdedView(crowd: Crowd): LiveView {
  const { queues = 27, agents = 40, ageSeconds = 20, longestSeconds = 400, conversations = 312, names = [] } = crowd
  const now = new Date()
  const ago = (seconds: number): Date => new Date(+now - seconds * 1000)
  const failure = crowd.error ? { at: now, error: crowd.error, inARow: 1 } : null
  const queueAt = (index: number): QueueNow => {
    const since = ago(Math.max(5, longestSeconds - index * 20))
    return {
      queueId: `queue-${index}`,
      mediaTypes: ['voice', 'message'],
      ...sumCounts([]),
      conversations: 48 - index,
      waiting: 30 - index,
      alerting: 2,
      interacting: 12,
      hold: 1,
      acw: 3,
      waitingSince: since,
      urgentSince: since,
      onQueueUsers: crowd.lacksAgents ? null : 14,
      offQueueUsers: crowd.lacksAgents ? null : 5,
    }
  }
  const agentAt = (index: number): BusyAgent => ({
    userId: `user-${index}`,
    state: index % 3 === 0 ? 'acw' : 'interacting',
    since: ago(3000 - index * 40),
    queueId: `queue-${index}`,
    mediaType: 'voice',
    conversations: 1 + (index % 2),
  })
  const byState = { ivr: 5, waiting: conversations, alerting: 3, interacting: conversations, hold: 9, acw: 7, other: 2 }
  return {
    at: now,
    reason: null,
    isLiveOn: true,
    staleSeconds: 180,
    nameOf: (kind, id) => {
      const index = Number(id.split('-')[1])
      return (
        names[index] ??
        `${kind === 'queue' ? 'Customers of the region North-East who call about' : 'Wolfeschlegelstein'} ${id}`
      )
    },
    board: {
      now,
      queues: Array.from({ length: queues }, (_, index) => queueAt(index)),
      outsideQueues: sumCounts([]),
      agents: Array.from({ length: agents }, (_, index) => agentAt(index)),
      agentsTotal: agents,
      byState,
      trend: Array.from({ length: 240 }, (_, index) => ({
        at: ago((240 - index) * 60),
        waiting: 40 + (index % 17),
        interacting: 120 + (index % 31),
      })),
      trendHours: 4,
      today: crowd.lacksToday ? null : todayOf(queues, now),
    },
    live: {
      snapshotAt: ago(ageSeconds),
      ageSeconds,
      isStale: ageSeconds > 180,
      source: 'analytics',
      conversations,
      durationMs: 900,
      requests: 4,
      stretched: crowd.stretched ?? false,
      failure,
      byState,
    },
  }
}
