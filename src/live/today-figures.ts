/** The figures of a day by queue, from Genesys' own aggregates. Pure. */
import type { AggregateValue } from '../genesys/conversation-aggregates.ts'

/** What a day's figures are asked by. */
export const TODAY_METRICS = ['nOffered', 'tAnswered', 'tAbandon', 'oServiceLevel'] as const

/** The figures of one queue, or of all contacts together. */
export interface DayFigures {
  /** null: all contacts. */
  readonly queueId: string | null
  readonly offered: number
  readonly answered: number
  /** How long the answered ones had waited together. */
  readonly answerMs: number
  readonly abandoned: number
  /** Contacts answered within their service level. */
  readonly answeredInTime: number
  /** Contacts that count for the service level, by the switches of the organization. */
  readonly serviceLevelContacts: number
}

/**
 * Figures of all contacts, and of each queue that has any.
 * @param values TODAY_METRICS by `queueId`, each with one value for the whole day
 * @returns all contacts first, then the queues
 */
export function figuresOf(values: readonly AggregateValue[]): DayFigures[] {
  const byQueue = new Map<string, AggregateValue[]>()
  for (const value of values) {
    const queueId = value.group['queueId'] ?? null
    if (queueId !== null) byQueue.set(queueId, [...(byQueue.get(queueId) ?? []), value])
  }
  return [sumUp(null, values), ...[...byQueue].map(([queueId, own]) => sumUp(queueId, own))]
}

function sumUp(queueId: string | null, values: readonly AggregateValue[]): DayFigures {
  const sum = (metric: (typeof TODAY_METRICS)[number], figure: 'count' | 'sum' | 'numerator' | 'denominator'): number =>
    Number(
      values.filter((value) => value.metric === metric).reduce((total, { stats }) => total + (stats[figure] ?? 0n), 0n),
    )
  return {
    queueId,
    offered: sum('nOffered', 'count'),
    answered: sum('tAnswered', 'count'),
    answerMs: sum('tAnswered', 'sum'),
    abandoned: sum('tAbandon', 'count'),
    answeredInTime: sum('oServiceLevel', 'numerator'),
    serviceLevelContacts: sum('oServiceLevel', 'denominator'),
  }
}
