/** The expected rows of reporting.conversations, queue_entries and agent_sessions, from the text of the contract. */
import {
  byStart,
  counted,
  endOf,
  events,
  firstSegment,
  isAgentSession,
  isConnected,
  lastSegment,
  lastSession,
  queueOf,
  seconds,
  sessionsOfCustomer,
  startOf,
  total,
} from './definitions.ts'
import { nameOf, type Names } from './names.ts'
import { instant, text, texts, whole, type Child, type Conversation, type Session } from './read-json.ts'

const MICROS = 1_000_000

/** A row of a view: by column an instant in microseconds, a number, a bigint, a text, a flag, a list or null. */
export type Row = Readonly<Record<string, unknown>>

export function conversationRow(c: Conversation, names: Names): Row {
  const customer = sessionsOfCustomer(c)
  const medium = byStart(customer)[0] ?? byStart(c.sessions)[0]
  const end = instant(c.raw['conversationEnd'])
  const entries = c.sessions.filter((session) => session.participant.purpose === 'acd' && queueOf(session) !== null)
  const queueIds = [byStart(entries)[0], lastSession(entries)].map((session) => (session ? queueOf(session) : null))
  const [firstQueue, lastQueue] = queueIds as [string | null, string | null]
  const agents = c.sessions.filter(
    (session) => isAgentSession(session) && isConnected(session) && session.participant.userId !== null,
  )
  const firstUser = byStart(agents)[0]?.participant.userId ?? null
  const lastUser = lastSession(agents)?.participant.userId ?? null
  const segments = c.sessions.flatMap((session) => session.segments)
  const code = text(lastSegment(segments.filter(({ raw }) => text(raw['wrapUpCode']) !== null))?.raw['wrapUpCode'])
  const lastOfCustomer = lastSegment(customer.flatMap((session) => session.segments))
  return {
    conversation_end: end,
    is_open: end === null,
    // everything was read long after its end
    is_final: end !== null,
    originating_direction: text(c.raw['originatingDirection']),
    media_type: text(medium?.raw['mediaType']),
    media_types: [...new Set(c.sessions.flatMap(({ raw }) => text(raw['mediaType']) ?? []))].sort(),
    message_type: text(medium?.raw['messageType']),
    division_ids: texts(c.raw['divisionIds']),
    first_queue_id: firstQueue,
    first_queue_name: nameOf(names.queues, firstQueue),
    last_queue_id: lastQueue,
    last_queue_name: nameOf(names.queues, lastQueue),
    queue_count: BigInt(new Set(entries.map(queueOf)).size),
    first_user_id: firstUser,
    first_user_name: nameOf(names.users, firstUser),
    last_user_id: lastUser,
    last_user_name: nameOf(names.users, lastUser),
    agent_count: BigInt(new Set(agents.map(({ participant }) => participant.userId)).size),
    customer_end: endOf(customer.flatMap((session) => session.segments)),
    duration_seconds: end === null ? null : (end - c.start) / MICROS,
    ivr_seconds: seconds(c.sessions, 'tIvr'),
    wait_seconds: seconds(c.sessions, 'tAcd'),
    talk_seconds: seconds(c.sessions, 'tTalkComplete'),
    hold_seconds: seconds(c.sessions, 'tHeldComplete'),
    acw_seconds: seconds(c.sessions, 'tAcw'),
    handle_seconds: seconds(c.sessions, 'tHandle'),
    offered: total(c.sessions, 'nOffered'),
    answered: events(c.sessions, 'tAnswered'),
    abandoned: events(c.sessions, 'tAbandon'),
    short_abandoned: events(c.sessions, 'tShortAbandon'),
    flow_outs: events(c.sessions, 'tFlowOut'),
    transferred: total(c.sessions, 'nTransferred'),
    blind_transferred: total(c.sessions, 'nBlindTransferred'),
    consult_transferred: total(c.sessions, 'nConsultTransferred'),
    is_answered: events(c.sessions, 'tAnswered') > 0n,
    is_abandoned: events(c.sessions, 'tAbandon') > 0n && events(c.sessions, 'tAnswered') === 0n,
    wrap_up_code_id: code,
    wrap_up_code_name: nameOf(names.wrap_up_codes, code),
    disconnect_type: text(lastOfCustomer?.raw['disconnectType']),
    survey_score: latestScore(c.surveys, 'oSurveyTotalScore'),
    evaluation_score: latestScore(c.evaluations, 'oTotalScore'),
  }
}

function latestScore(list: readonly Child[], property: string): bigint | null {
  const scored = list.filter(({ raw }) => whole(raw[property]) !== null)
  const time = ({ raw }: Child) => instant(raw['eventTime']) ?? -Infinity
  const latest = scored.toSorted((a, b) => time(a) - time(b) || a.index - b.index).at(-1)
  return latest ? whole(latest.raw[property]) : null
}

export function queueEntryRows(c: Conversation, names: Names): Row[] {
  const entries = c.sessions.filter(({ participant }) => participant.purpose === 'acd')
  const began = byStart(entries)
  const answering = entries.map((entry) => answeringSession(c, entry, began[began.indexOf(entry) + 1]))
  return entries.map((entry, at) => {
    const agent = answering[at]
    // what is on the session of an agent counts once
    const isFirst = agent !== undefined && answering.indexOf(agent) === at
    return queueEntryRow(entry, agent, total([entry, ...(isFirst ? [agent] : [])], 'nOverSla'), names)
  })
}

function queueEntryRow(entry: Session, agent: Session | undefined, overServiceLevel: bigint, names: Names): Row {
  const queueId = queueOf(entry)
  const outcome = outcomeOf(entry, agent !== undefined)
  const answeredBy = outcome === 'answered' ? (agent?.participant.userId ?? null) : null
  const asking = (property: string) =>
    firstSegment(entry.segments.filter(({ raw }) => (texts(raw[property]) ?? text(raw[property])) !== null))?.raw[
      property
    ]
  const skills = texts(asking('requestedRoutingSkillIds'))
  return {
    _session_index: BigInt(entry.index),
    queue_id: queueId,
    queue_name: nameOf(names.queues, queueId),
    media_type: text(entry.raw['mediaType']),
    direction: text(entry.raw['direction']),
    entered_at: startOf(entry),
    left_at: endOf(entry.segments),
    wait_seconds: seconds([entry], 'tAcd'),
    answered_by_user_id: answeredBy,
    answered_by_user_name: nameOf(names.users, answeredBy),
    over_service_level: overServiceLevel,
    requested_skill_ids: skills,
    requested_skills: skills?.map((id) => nameOf(names.skills, id)) ?? null,
    requested_language_id: text(asking('requestedLanguageId')),
    requested_language: nameOf(names.languages, text(asking('requestedLanguageId'))),
    priority: null,
    outcome,
  }
}

function outcomeOf(entry: Session, isAnswered: boolean): string {
  const has = (name: string) => events([entry], name) > 0n
  if (has('tShortAbandon')) return 'short_abandoned'
  if (has('tAbandon')) return 'abandoned'
  if (has('tFlowOut')) return 'flow_out'
  if (isAnswered) return 'answered'
  return !has('tAcd') && entry.segments.some(({ end }) => end === null) ? 'waiting' : 'other'
}

/**
 * The agent session that answered an entry: the one whose tAnswered is nearest to the entry's tAcd and within a second of it; else the
 * first connected one of its queue between its start and that of the next entry.
 */
function answeringSession(c: Conversation, entry: Session, next: Session | undefined): Session | undefined {
  const agents = c.sessions.filter(isAgentSession)
  const times = (session: Session, name: string) => counted([session], name).flatMap(({ emitted }) => emitted ?? [])
  const distances = agents.map((agent) =>
    Math.min(
      ...times(agent, 'tAnswered').flatMap((answered) => times(entry, 'tAcd').map((left) => Math.abs(left - answered))),
    ),
  )
  const nearest = Math.min(...distances)
  if (nearest <= MICROS) return agents[distances.indexOf(nearest)]
  const from = startOf(entry)
  const until = (next && startOf(next)) ?? Infinity
  const queueId = queueOf(entry)
  if (from === null || queueId === null) return undefined
  return byStart(
    agents.filter((agent) => {
      const start = startOf(agent)
      return start !== null && start >= from && start < until && isConnected(agent) && queueOf(agent) === queueId
    }),
  )[0]
}

export function agentSessionRows(c: Conversation, names: Names): Row[] {
  return c.sessions.filter(isAgentSession).map((session) => {
    const { segments, participant } = session
    const queueId = queueOf(session)
    const firstStart = (type: string) => firstSegment(segments.filter((each) => each.type === type))?.start ?? null
    const lastText = (property: string) =>
      text(lastSegment(segments.filter(({ raw }) => text(raw[property]) !== null))?.raw[property])
    const answered = counted([session], 'tAnswered').flatMap(({ emitted }) => emitted ?? [])
    const campaign = text(session.raw['outboundCampaignId'])
    return {
      _session_index: BigInt(session.index),
      user_id: participant.userId,
      user_name: nameOf(names.users, participant.userId),
      queue_id: queueId,
      queue_name: nameOf(names.queues, queueId),
      media_type: text(session.raw['mediaType']),
      direction: text(session.raw['direction']),
      alerted_at: firstStart('alert'),
      answered_at: firstStart('interact') ?? (answered.length > 0 ? Math.min(...answered) : null),
      ended_at: endOf(segments),
      alert_seconds: seconds([session], 'tAlert'),
      talk_seconds: seconds([session], 'tTalkComplete'),
      hold_seconds: seconds([session], 'tHeldComplete'),
      acw_seconds: seconds([session], 'tAcw'),
      handle_seconds: seconds([session], 'tHandle'),
      is_answered: isConnected(session),
      transferred: total([session], 'nTransferred'),
      wrap_up_code_id: lastText('wrapUpCode'),
      wrap_up_code_name: nameOf(names.wrap_up_codes, lastText('wrapUpCode')),
      wrap_up_note: lastText('wrapUpNote'),
      disconnect_type: lastText('disconnectType'),
      campaign_id: campaign,
      campaign_name: nameOf(names.campaigns, campaign),
    }
  })
}

/** The rows of reporting.hourly_by_direction in a zone that is always so many hours ahead of UTC; `hour` in milliseconds. */
export function hourlyRows(conversations: readonly Conversation[], hoursAhead: number): Row[] {
  const hourOf = ({ start }: Conversation) => {
    const shift = hoursAhead * 3_600_000
    return Math.floor((start / 1000 + shift) / 3_600_000) * 3_600_000 - shift
  }
  const groups = Map.groupBy(conversations, (c) => {
    const medium = byStart(sessionsOfCustomer(c))[0] ?? byStart(c.sessions)[0]
    return JSON.stringify([hourOf(c), text(c.raw['originatingDirection']), text(medium?.raw['mediaType'])])
  })
  return [...groups].map(([key, members]) => {
    const [hour, direction, mediaType] = JSON.parse(key) as [number, string | null, string | null]
    const sessions = members.flatMap((c) => c.sessions)
    const ends = members.flatMap((c) => {
      const end = instant(c.raw['conversationEnd'])
      return end === null ? [] : [(end - c.start) / MICROS]
    })
    const mean = (name: string) =>
      events(sessions, name) === 0n ? null : Number(total(sessions, name)) / Number(events(sessions, name)) / 1000
    return {
      hour,
      direction,
      media_type: mediaType,
      conversations: members.length,
      average_duration_seconds: ends.length === 0 ? null : ends.reduce((sum, each) => sum + each, 0) / ends.length,
      average_hold_seconds: mean('tHeldComplete'),
      handled: Number(events(sessions, 'tHandle')),
      average_handle_seconds: mean('tHandle'),
    }
  })
}
