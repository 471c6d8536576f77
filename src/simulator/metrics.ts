import type { Leg, Span, StatedMetric } from './conversation-plan.ts'

const FLOW_PURPOSES = new Set(['ivr', 'botflow', 'voicesurveyflow', 'workflow'])

/** The value of a span's metric: up to some seconds less than the segment lasts. */
function measured({ start, end, shortfall = 0 }: Span): number {
  return Math.max(0, end - start - shortfall)
}

/** When the metric of a span is emitted. */
function counted({ start, end, shortfall = 0 }: Span): number {
  return Math.max(start, end - shortfall)
}

function total(spans: readonly Span[]): number {
  return spans.reduce((sum, span) => sum + measured(span), 0)
}

/**
 * The metrics of a session, derived from what happened in it, so that they add up by construction:
 * tHandle = tTalkComplete + tHeldComplete + tAcw + tDialing + tContacting, for callbacks too and without parking;
 * the queue's tAcd = the agent's tAnswered; nOffered once per queue entry. Which participant carries which metric, when
 * it is emitted, and that it may be shorter than the segment follows real answers of the API. Spans without end emit
 * nothing.
 */
export function metricsOf(leg: Leg): StatedMetric[] {
  const metrics: StatedMetric[] = [...leg.stated]
  const emit = (name: string, value: number, at: number): void => {
    metrics.push({ name, value, at })
  }
  const of = (...types: string[]): Span[] =>
    leg.spans.filter((span) => types.includes(span.type) && span.end !== Infinity)

  if (leg.purpose === 'customer' || leg.purpose === 'external' || leg.purpose === 'outbound') customer(leg, of, emit)
  else if (FLOW_PURPOSES.has(leg.purpose)) flow(leg, of, emit)
  else if (leg.purpose === 'acd') queue(leg, of, emit)
  else agent(leg, of, emit)
  return metrics
}

type SpansOf = (...types: string[]) => Span[]
type Emit = (name: string, value: number, at: number) => void

function customer(leg: Leg, of: SpansOf, emit: Emit): void {
  // The dialing of an agent counts at the agent only, so that the aggregates of agents add up; that of a campaign has no agent.
  if (leg.purpose === 'outbound') {
    for (const span of of('dialing')) emit('tDialing', span.end - span.start, span.end)
    for (const span of of('contacting')) emit('tContacting', span.end - span.start, span.end)
  }
  for (const span of of('voicemail')) emit('tVoicemail', span.end - span.start, span.end)
  const connected = of('interact', 'hold')
  const [first] = connected
  const last = connected.at(-1)
  if (!first || !last) return
  emit('nConnected', 1, first.start)
  emit('tConnected', total(connected), last.end)
}

function flow(leg: Leg, of: SpansOf, emit: Emit): void {
  const spans = of('ivr', 'interact')
  const [first] = spans
  const last = spans.at(-1)
  if (!first || !last) return
  emit('nFlow', 1, first.start)
  const duration = total(spans)
  if (leg.purpose === 'ivr') emit('tIvr', duration, last.end)
  // The flow itself runs a little shorter than the menu's segment, which includes its setup.
  const ran = Math.max(0, duration - (duration % 251))
  emit('tFlow', ran, last.end)
  emit(last.fields['disconnectType'] === 'transfer' ? 'tFlowExit' : 'tFlowDisconnect', ran, last.end)
}

function queue(leg: Leg, of: SpansOf, emit: Emit): void {
  const facts = leg.queue
  const entered = leg.spans.find((span) => span.type === 'interact')
  if (!facts || !entered) return
  emit('nOffered', 1, entered.start)
  const [waiting] = of('interact')
  if (!waiting) return
  const waited = waiting.end - waiting.start
  emit('tAcd', waited, waiting.end)
  if (facts.outcome === 'abandoned') {
    emit('tAbandon', waited, waiting.end)
    if (waited < facts.shortAbandonMs) emit('tShortAbandon', waited, waiting.end)
  } else if (facts.outcome === 'flowOut') {
    emit('tFlowOut', waited, waiting.end)
  } else if (facts.outcome === 'answered' && waited > facts.serviceLevelMs) {
    emit('nOverSla', 1, waiting.end)
  }
}

const SUPERVISION_METRICS: Readonly<Record<string, readonly string[]>> = {
  monitoring: ['tMonitoring', 'tMonitoringComplete'],
  coaching: ['tCoaching', 'tCoachingComplete'],
  barging: ['tBarging'],
  screenmonitoring: ['tScreenMonitoring'],
  voicemail: ['tVoicemail'],
}

function agent(leg: Leg, of: SpansOf, emit: Emit): void {
  const talk = of('interact')
  const held = of('hold')
  const parked = of('parked')
  const acw = of('wrapup')
  const alerts = of('alert')
  const [answered] = leg.spans.filter((span) => span.type === 'interact')

  for (const span of alerts) {
    emit('tAlert', measured(span), span.end)
    if (leg.notResponding) emit('tNotResponding', measured(span), span.end)
  }
  if (answered && leg.waitedMs !== undefined) emit('tAnswered', leg.waitedMs, answered.start)
  for (const span of of('dialing')) emit('tDialing', span.end - span.start, span.end)
  for (const span of of('contacting')) emit('tContacting', span.end - span.start, span.end)
  for (const span of talk) emit('tTalk', measured(span), span.end)
  for (const span of held) emit('tHeld', span.end - span.start, span.end)
  for (const span of parked) emit('tPark', span.end - span.start, span.end)
  for (const [type, names] of Object.entries(SUPERVISION_METRICS))
    for (const span of of(type)) for (const name of names) emit(name, span.end - span.start, span.end)

  const busy = [...talk, ...held, ...parked, ...of('dialing', 'contacting')]
  if (busy.length === 0 && acw.length === 0) return
  if (leg.spans.some((span) => span.end === Infinity)) return
  const left = Math.max(...busy.map((span) => span.end), 0)
  if (talk.length > 0) emit('tTalkComplete', total(talk), left)
  if (held.length > 0) emit('tHeldComplete', total(held), left)
  if (parked.length > 0) emit('tParkComplete', total(parked), left)
  for (const span of acw) emit('tAcw', measured(span), counted(span))
  if (leg.partOfCallback) return
  // Emitted as a whole at the moment at which the agent is free again.
  const handling = [...talk, ...held, ...of('dialing', 'contacting'), ...acw]
  emit('tHandle', total(handling), Math.max(left, ...acw.map(counted)))
}
