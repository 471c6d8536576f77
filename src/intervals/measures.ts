/** What the reporting layer counts in an interval: the columns of its views, and the metrics that they come from. Pure. */

/** What of a metric's rows a column holds: the sum of their values, their number, or the largest value. */
export type Aggregate = 'total' | 'events' | 'max'

/** One column of the interval views. */
export interface Measure {
  readonly column: string
  /** Name of the metric in genesys.session_metrics. */
  readonly metric: string
  readonly aggregate: Aggregate
}

function total(column: string, metric: string): Measure {
  return { column, metric, aggregate: 'total' }
}

/** The number of rows of a metric and the sum of their values in milliseconds. */
function timed(events: string, milliseconds: string, metric: string): Measure[] {
  return [
    { column: events, metric, aggregate: 'events' },
    { column: milliseconds, metric, aggregate: 'total' },
  ]
}

/** The same, and the largest value. */
function timedWithMax(events: string, milliseconds: string, metric: string): Measure[] {
  return [...timed(events, milliseconds, metric), { column: `${milliseconds}_max`, metric, aggregate: 'max' }]
}

/** Every measure, in the order of the columns. A column is only appended: views and tables have them in this order. */
export const measures: readonly Measure[] = [
  total('offered', 'nOffered'),
  total('over_service_level', 'nOverSla'),
  total('transferred', 'nTransferred'),
  total('blind_transferred', 'nBlindTransferred'),
  total('consult_transferred', 'nConsultTransferred'),
  total('consults', 'nConsult'),
  total('outbound', 'nOutbound'),
  total('outbound_attempted', 'nOutboundAttempted'),
  total('outbound_connected', 'nOutboundConnected'),
  total('outbound_abandoned', 'nOutboundAbandoned'),
  total('connected', 'nConnected'),
  total('errors', 'nError'),
  ...timedWithMax('answered', 'answer_ms', 'tAnswered'),
  ...timedWithMax('abandoned', 'abandon_ms', 'tAbandon'),
  { column: 'short_abandoned', metric: 'tShortAbandon', aggregate: 'events' },
  { column: 'flow_outs', metric: 'tFlowOut', aggregate: 'events' },
  ...timedWithMax('waits', 'wait_ms', 'tAcd'),
  ...timedWithMax('handled', 'handle_ms', 'tHandle'),
  ...timed('talks', 'talk_ms', 'tTalkComplete'),
  ...timed('holds', 'hold_ms', 'tHeldComplete'),
  ...timed('acws', 'acw_ms', 'tAcw'),
  ...timed('alerts', 'alert_ms', 'tAlert'),
  ...timed('not_responding', 'not_responding_ms', 'tNotResponding'),
  ...timed('dialing', 'dialing_ms', 'tDialing'),
  ...timed('contacting', 'contacting_ms', 'tContacting'),
  ...timed('voicemails', 'voicemail_ms', 'tVoicemail'),
  ...timed('agent_responses', 'agent_response_ms', 'tAgentResponseTime'),
  ...timed('user_responses', 'user_response_ms', 'tUserResponseTime'),
  ...timed('ivrs', 'ivr_ms', 'tIvr'),
]
