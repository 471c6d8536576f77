/** KPIs as SQL over rows of the interval functions, and how they are shown. Pure. */
import { type Column, type Format, type Threshold } from './dashboard.ts'

export const SERVICE_LEVEL =
  'reporting.service_level(sum(answered), sum(over_service_level), sum(abandoned), sum(short_abandoned), sum(flow_outs))'
export const ABANDON_RATE = 'reporting.ratio(sum(abandoned), sum(offered))'
export const TRANSFER_RATE = 'reporting.ratio(sum(transferred), sum(handled))'
export const ASA = 'reporting.seconds(sum(answer_ms), sum(answered))'
export const AHT = 'reporting.seconds(sum(handle_ms), sum(handled))'
export const AVERAGE_TALK = 'reporting.seconds(sum(talk_ms), sum(talks))'
export const AVERAGE_HOLD = 'reporting.seconds(sum(hold_ms), sum(holds))'
export const AVERAGE_ACW = 'reporting.seconds(sum(acw_ms), sum(acws))'

/** The numbers of the range of time by queue, in intervals of the chosen length. */
export const QUEUE_PERFORMANCE = 'reporting.queue_performance($__timeFrom(), $__timeTo(), ${granularity:sqlstring})'
/** The numbers of the range of time by queue, for sums: months come from the sums of days. */
export const QUEUE_TOTALS = "reporting.queue_performance($__timeFrom(), $__timeTo(), '1 month')"
export const AGENT_PERFORMANCE = 'reporting.agent_performance($__timeFrom(), $__timeTo(), ${granularity:sqlstring})'
export const AGENT_TOTALS = "reporting.agent_performance($__timeFrom(), $__timeTo(), '1 month')"

const HIGH_IS_GOOD: readonly Threshold[] = [
  ['red', null],
  ['orange', 0.6],
  ['green', 0.8],
]
const ABANDONS: readonly Threshold[] = [
  ['green', null],
  ['orange', 0.05],
  ['red', 0.1],
]
const WAITING: readonly Threshold[] = [
  ['green', null],
  ['orange', 30],
  ['red', 60],
]

export const COUNT: Format = { unit: 'none', decimals: 0 }
export const SECONDS: Format = { unit: 's' }
export const SHARE: Format = { unit: 'percentunit', decimals: 1 }
export const SERVICE_LEVEL_FORMAT: Format = { ...SHARE, min: 0, max: 1, thresholds: HIGH_IS_GOOD }
export const ABANDON_FORMAT: Format = { ...SHARE, thresholds: ABANDONS }
export const ASA_FORMAT: Format = { ...SECONDS, thresholds: WAITING }

/** A column of conversation ids, from which one opens the dashboard of the conversation. */
export const CONVERSATION_COLUMN: Column = {
  width: 300,
  link: { title: 'Show this conversation', url: '/d/genesys-conversation?var-conversation=${__value.raw}' },
}
