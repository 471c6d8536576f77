/** The expected events of a conversation, in order. */
import { endOf, events, queueAt } from './definitions.ts'
import { transfersOf } from './events.ts'
import type { Row } from './facts.ts'
import { nameOf, type Names } from './names.ts'
import { instant, text, whole, type Conversation, type Segment, type Session } from './read-json.ts'

/** What follows from what at one instant. */
const ORDER = [
  'connect', 'ivr', 'transfer', 'queue_entered', 'alert', 'queue_left', 'answer', 'hold', 'consult', 'disconnect', 'wrap_up', 'evaluation',
  'survey',
] // prettier-ignore
const FLOWS = ['ivr', 'botflow', 'workflow', 'voicesurveyflow']
/** Segments whose sessions have an event for them. */
const SILENT = ['interact', 'wrapup', 'ivr', 'delay', 'system']

interface Event {
  readonly at: number | null
  readonly until?: number | null
  readonly event: string
  readonly who: string | null
  readonly userId?: string | null
  readonly queueId?: string | null
  readonly detail?: string | null
  readonly session?: Session
  readonly note?: string | null
  readonly place: number
}

export function timelineRows(c: Conversation, names: Names): Row[] {
  const all = [...c.sessions.flatMap((session) => sessionEvents(session, names)), ...followUps(c, names)]
  const rank = ({ event }: Event) => (ORDER.includes(event) ? ORDER.indexOf(event) : ORDER.indexOf('hold'))
  const time = ({ at, until }: Event) => at ?? until ?? Infinity
  const place = ({ session }: Event) => session?.index ?? Infinity
  const ordered = all.toSorted(
    (a, b) => compare(time(a), time(b)) || rank(a) - rank(b) || compare(place(a), place(b)) || a.place - b.place,
  )
  return ordered.map((each, index) => ({
    position: BigInt(index + 1),
    at: each.at,
    until: each.until ?? null,
    event: each.event,
    who: each.who,
    user_id: each.userId ?? null,
    queue_id: each.queueId ?? null,
    queue_name: nameOf(names.queues, each.queueId ?? null),
    detail: each.detail ?? null,
    media_type: text(each.session?.raw['mediaType']),
    _session_index: each.session ? BigInt(each.session.index) : null,
    note: each.note ?? null,
  }))
}

function compare(a: number, b: number): number {
  return a === b ? 0 : a < b ? -1 : 1
}

function sessionEvents(session: Session, names: Names): Event[] {
  const { participant, flow } = session
  const { purpose, userId } = participant
  const who = nameOf(names.users, userId) ?? purpose
  const inOrder = session.segments.toSorted(
    (a, b) => compare(a.start ?? -Infinity, b.start ?? -Infinity) || a.index - b.index,
  )
  const [first, last] = [inOrder[0], inOrder.at(-1)]
  const ended = endOf(session.segments)
  const common = (segment: Segment) => ({ who, userId, session, queueId: segment.queueId, place: segment.index })
  const found: Event[] = transfersOf(session).map((each) => ({
    ...each,
    who,
    userId,
    session,
    queueId: queueAt(session, each.at),
    place: 0,
  }))
  const isAgent = purpose === 'agent' || purpose === 'user'
  const isFlow = FLOWS.includes(purpose ?? '')
  if (first && last) {
    const whole = { ...common(first), at: first.start, until: ended }
    if (purpose === 'acd') {
      found.push({ ...whole, event: 'queue_entered' })
      const left =
        events([session], 'tShortAbandon') > 0n
          ? 'short_abandoned'
          : events([session], 'tAbandon') > 0n
            ? 'abandoned'
            : events([session], 'tFlowOut') > 0n
              ? 'flow_out'
              : text(last.raw['disconnectType'])
      if (ended !== null) found.push({ ...common(last), at: ended, event: 'queue_left', detail: left })
    } else if (isFlow) {
      const name = flow
        ? (names.flows.get(text(flow.raw['flowId']) ?? '') ?? text(flow.raw['flowName']) ?? text(flow.raw['flowId']))
        : null
      found.push({ ...whole, event: 'ivr', detail: listed(name, text(flow?.raw['exitReason'])) })
    } else if (!isAgent) {
      const detail = listed(text(session.raw['mediaType']), text(session.raw['direction']))
      found.push({ ...whole, event: 'connect', detail })
    }
  }
  const talks = inOrder.filter(({ type }) => type === 'interact')
  for (const segment of inOrder) {
    const lasting = { ...common(segment), at: segment.start, until: segment.end }
    const { type, raw } = segment
    if (isAgent && type === 'interact') found.push({ ...lasting, event: segment === talks[0] ? 'answer' : 'talk' })
    if (type === 'wrapup') {
      const code = nameOf(names.wrap_up_codes, text(raw['wrapUpCode']))
      found.push({ ...lasting, event: 'wrap_up', detail: code, note: text(raw['wrapUpNote']) })
    }
    if (type !== null && !SILENT.includes(type)) found.push({ ...lasting, event: type })
    const disconnected = text(raw['disconnectType'])
    if (purpose !== 'acd' && !isFlow && disconnected !== null)
      found.push({ ...common(segment), at: segment.end ?? segment.start, event: 'disconnect', detail: disconnected })
  }
  return found
}

function listed(...parts: readonly (string | null)[]): string {
  return parts.filter((part) => part !== null).join(', ')
}

function followUps(c: Conversation, names: Names): Event[] {
  const percent = (value: unknown) => (whole(value) === null ? null : `${whole(value)} %`)
  return [
    ...c.evaluations.map(({ index, raw }): Event => {
      const [evaluator, form] = [text(raw['evaluatorId']), text(raw['formId'])]
      const name = names.evaluation_forms.get(form ?? '') ?? text(raw['formName']) ?? form
      return {
        at: instant(raw['eventTime']),
        event: 'evaluation',
        who: nameOf(names.users, evaluator),
        userId: evaluator,
        queueId: text(raw['queueId']),
        detail: listed(name, text(raw['evaluationStatus']), percent(raw['oTotalScore'])),
        place: index,
      }
    }),
    ...c.surveys.map(({ index, raw }): Event => {
      const form = text(raw['surveyFormId'])
      const name = names.survey_forms.get(form ?? '') ?? text(raw['surveyFormName']) ?? form
      return {
        at: instant(raw['surveyCompletedDate']) ?? instant(raw['eventTime']),
        event: 'survey',
        who: 'customer',
        queueId: text(raw['queueId']),
        detail: listed(name, text(raw['surveyStatus']), percent(raw['oSurveyTotalScore'])),
        place: index,
      }
    }),
  ]
}
