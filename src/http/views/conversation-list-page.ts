/** `/conversations`: the conversations behind a number of the reports. Data in, HTML out. */
import { type ConversationList, type ListedConversation } from '../../reporting/conversation-list.ts'
import { listQuery, reportQuery, defaultSort, type ListRequest } from '../../reporting/report-request.ts'
import { clockText } from '../assets/clock.js'
import { type Reading } from '../service-status.ts'
import { dayName, markup, nothing, number, plural, span, type Html } from './format.ts'
import { part, plainPart, table, type Column, type View } from './layout.ts'
import { daysName, unreadablePage, zoneName } from './report-page.ts'

/** More names than this are counted. */
const NAMES_SHOWN = 3
const OUTCOMES: Readonly<Record<NonNullable<ListedConversation['outcome']>, string>> = {
  answered: 'answered',
  abandoned: 'abandoned',
  flow_out: 'taken out by a flow',
  open: 'open',
  handled: 'handled, no queue',
  no_queue: 'no queue reached',
  other: 'other',
}

/** A page of the list; without data it says why. */
export function conversationListPage(request: ListRequest, { content: list, reason }: Reading<ConversationList>): View {
  if (list === null) return unreadablePage('Conversations', reason)
  const heading = `Conversations, ${daysName(list.days)}`
  return {
    title: `${heading} · genesys-etl`,
    current: '/reports',
    isComplete: true,
    footer: `Times are those of ${zoneName(list.clock)}. Addresses and notes are not shown.`,
    main: markup`<main id="main" class="report">${[
      plainPart('range', 'What is listed', markup`<h1>${heading}</h1>${scope(request, list)}`),
      part(
        'conversations',
        plural(list.count, 'conversation'),
        markup`${conversationTable(list)}${pages(request, list)}`,
      ),
    ]}</main>`,
  }
}

/** Which conversations are listed, and what they count together. */
function scope({ range, queue, media, agent, theme }: ListRequest, list: ConversationList): Html {
  const { offered, answered, abandoned, handled, transferred } = list.counted
  const chosen = [
    ...(queue === undefined ? [] : [queue === null ? 'without a queue' : `of queue ${list.queueName ?? queue}`]),
    ...(media === undefined ? [] : [`of media type ${media ?? 'unknown'}`]),
    ...(agent === undefined ? [] : [agent === null ? 'without an agent' : `of agent ${list.agentName ?? agent}`]),
  ]
  const ofQueue = `${number(offered)} offered, ${number(answered)} answered, ${number(abandoned)} abandoned, `
  const by = agent === undefined ? 'queue' : 'agent'
  const report = reportQuery({ range, queue, media, theme, by, granularity: null, sort: defaultSort(by) })
  return markup`<p>Those with a metric ${chosen.join(' and ')} in the range, whenever they began. In it they count
<b>${agent === undefined ? ofQueue : ''}${number(handled)} handled, ${number(transferred)} transferred</b>, as the report does: one
conversation can enter a queue more than once, and be handled by several agents.</p>
<p><a href="/reports${report}">To the report</a></p>`
}

const COLUMNS: readonly Column[] = [
  { heading: 'Start' },
  { heading: 'Duration', className: 'right wide' },
  { heading: 'Media type', className: 'wide' },
  { heading: 'Queues' },
  { heading: 'Agents', className: 'wide' },
  { heading: 'Wait', className: 'right' },
  { heading: 'Outcome' },
]

function conversationTable({ conversations }: ConversationList): Html {
  if (conversations.length === 0) return markup`<p>There is none.</p>`
  return table('Conversations, the newest first', COLUMNS, conversations.map(row))
}

function row(conversation: ListedConversation): Html {
  const { id, start, mediaType, queues, agents, waitSeconds, outcome } = conversation
  const wait = waitSeconds === null ? nothing : clockText(waitSeconds)
  return markup`<tr><th scope="row"><a href="/conversations/${encodeURIComponent(id)}" title="${id}">${dayName(start.slice(0, 10))}
${start.slice(11)}</a></th>
<td class="right wide">${duration(conversation)}</td>
<td class="wide">${mediaType ?? nothing}</td>
<td>${names(queues)}</td>
<td class="wide">${names(agents)}</td>
<td class="right">${wait}</td>
<td>${outcome === null ? markup`<span class="quiet">not derived yet</span>` : OUTCOMES[outcome]}</td></tr>`
}

function duration({ durationSeconds, isOpen }: ListedConversation): Html {
  if (isOpen) return markup`open`
  return durationSeconds === null ? nothing : markup`${span(durationSeconds)}`
}

function names(all: readonly string[]): Html {
  if (all.length === 0) return nothing
  const rest = all.length - NAMES_SHOWN
  const shown = all.slice(0, NAMES_SHOWN).map((name, index) => markup`${index > 0 ? ', ' : ''}<bdi>${name}</bdi>`)
  return markup`${shown}${rest > 0 ? ` and ${number(rest)} more` : ''}`
}

function pages(request: ListRequest, { next, conversations, count }: ConversationList): Html {
  const first =
    request.after === null
      ? ''
      : markup`<a href="/conversations${listQuery({ ...request, after: null })}">First page</a> `
  const following =
    next === null
      ? ''
      : markup`<a href="/conversations${listQuery({ ...request, after: next })}" rel="next">Next page</a>`
  return markup`<p class="files">${first}${following}
<span class="quiet">${number(conversations.length)} of ${number(count)}, the newest first</span></p>`
}
