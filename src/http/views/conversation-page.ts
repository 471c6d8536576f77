/** `/conversations/ID`: one conversation, its head and its timeline. Data in, HTML out. */
import { type Conversation, type ConversationFacts, type TimelineEvent } from '../../reporting/conversation-query.ts'
import { dayName, markup, nothing, number, plural, span, type Html } from './format.ts'
import { mainOf, part, plainPart, table, type Column, type View } from './layout.ts'

/** One conversation, as far as it may be shown. */
export interface ConversationView {
  readonly at: Date
  /** null: it is not stored, or could not be read. */
  readonly conversation: Conversation | null
  /** Why it could not be read; null: it could. */
  readonly reason: string | null
  /** Whether addresses and notes are among it. */
  readonly showPersonal: boolean
}

const TITLE = 'Conversation · genesys-etl'

/** The page of a conversation, or of the reason why it could not be read. */
export function conversationPage({ at: now, conversation, reason, showPersonal }: ConversationView): View {
  if (conversation === null) {
    const banner = markup`<h1 class="unseen">Conversation</h1>
<p class="banner"><strong>The conversation could not be read.</strong> ${reason ?? ''}</p>`
    return staticPage(now, 'The conversation could not be read', [plainPart('head', 'Conversation', banner)], {
      isComplete: false,
    })
  }
  const { timeline } = conversation
  const parts = [
    plainPart('head', 'Conversation', head(conversation)),
    part('timeline', 'Timeline', timelineContent(conversation)),
    ...(timeline.length > 0 && !showPersonal
      ? [plainPart('privacy', 'Personal data', markup`<p class="quiet">Addresses and notes are not shown.</p>`)]
      : []),
  ]
  const footer = `Times are those of ${conversation.timeZone}.`
  return staticPage(now, `Conversation of ${minute(conversation.local.start)}`, parts, { footer })
}

/** The page of an id that no stored conversation has. */
export function missingConversationPage(): View {
  const content = markup`<h1>No such conversation</h1>
<p>No conversation with this id is stored. It may have started on a day that is not loaded: the <a href="/">status</a> shows which days are.</p>`
  return staticPage(new Date(), 'No such conversation', [plainPart('head', 'Conversation', content)])
}

function staticPage(
  now: Date,
  announcement: string,
  parts: readonly Html[],
  { isComplete = true, footer = '' }: { readonly isComplete?: boolean; readonly footer?: string } = {},
): View {
  const main = mainOf({ title: TITLE, now, className: 'conversation', announcement, parts })
  return { title: TITLE, current: '/reports', isComplete, footer, main }
}

function head({ id, start, end, isFinal, facts, local }: Conversation): Html {
  const figures = [
    figure('Started', minute(local.start)),
    figure('Ended', local.end ? minute(local.end) : 'open', end ? `after ${span(seconds(start, end))}` : ''),
    ...(facts ? factFigures(facts, end === null) : []),
    figure('Record', isFinal ? 'final' : 'may change', `loaded ${minute(local.loadedAt)}`),
  ]
  const [date] = local.start.split(' ')
  return markup`<h1>${facts ? kind(facts) : 'Conversation'}, ${dayName(date!)} ${date!.slice(0, 4)}</h1>
<p><code>${id}</code></p>
${notice(local.missingSince, facts)}
<dl class="figure-list">${figures}</dl>`
}

/** `Voice, inbound`. */
function kind({ mediaTypes, messageType, direction }: ConversationFacts): string {
  const media = mediaTypes.length > 0 ? mediaTypes.join(', ') : 'conversation'
  const words = [messageType === null ? media : `${media} (${messageType})`, direction].filter(Boolean).join(', ')
  return words.charAt(0).toUpperCase() + words.slice(1)
}

function notice(missingSince: string | null, facts: ConversationFacts | null): Html {
  if (missingSince) {
    return markup`<p class="banner"><strong>Genesys has it no more</strong> since ${minute(missingSince)}: it counts in no report.</p>`
  }
  if (facts) return markup``
  return markup`<p class="banner"><strong>It is not in the reports yet.</strong> Their rows are being filled.</p>`
}

function factFigures(facts: ConversationFacts, isOpen: boolean): Html[] {
  const { queues, agents, waitSeconds, talkSeconds, holdSeconds, acwSeconds, transferred, customerAddress } = facts
  const length = (value: number | null): Html | string => (value ? span(value) : nothing)
  const transfers = transferred > 0 ? plural(transferred, 'transfer') : ''
  return [
    figure('Outcome', outcome(facts, isOpen), transfers),
    figure(queues.length > 1 ? 'Queues' : 'Queue', list(queues)),
    figure(agents.length > 1 ? 'Agents' : 'Agent', list(agents)),
    figure('Waited', length(waitSeconds)),
    figure('Talked', length(talkSeconds), holdSeconds ? `on hold ${span(holdSeconds)}` : ''),
    figure('After-call work', length(acwSeconds), facts.wrapUpCode ?? ''),
    ...(customerAddress === null ? [] : [figure('Customer', markup`<bdi>${customerAddress}</bdi>`)]),
  ]
}

function outcome(
  { isAnswered, isAbandoned, flowOuts, queues, disconnectType }: ConversationFacts,
  isOpen: boolean,
): string {
  if (isAnswered) return 'answered'
  if (isAbandoned) return 'abandoned'
  if (flowOuts > 0) return 'left the queue by a flow'
  if (isOpen) return 'open'
  if (queues.length > 0) return 'not answered'
  return disconnectType === null ? 'no queue' : `no queue, ended by ${disconnectType}`
}

function list(names: readonly string[]): Html {
  if (names.length === 0) return nothing
  return markup`${names.map((name, index) => markup`${index > 0 ? markup` <span class="quiet">→</span> ` : ''}<bdi>${name}</bdi>`)}`
}

function figure(name: string, value: Html | string, note: string = ''): Html {
  return markup`<div class="figure"><dt>${name}</dt><dd>${value}</dd>${note ? markup`<dd class="note">${note}</dd>` : ''}</div>`
}

const COLUMNS: readonly Column[] = [
  { heading: 'Time' },
  { heading: 'Event' },
  { heading: 'For', className: 'right' },
  { heading: markup`<span class="unseen">When, as a bar</span>`, className: 'wide' },
  { heading: 'Who', className: 'wide' },
  { heading: 'Queue', className: 'wide' },
  { heading: 'Detail', className: 'wide' },
]

function timelineContent({ timeline, start, local, missingSince }: Conversation): Html {
  if (timeline.length === 0) {
    return markup`<p>${missingSince ? 'What Genesys has no more has no timeline.' : 'Nothing is known of what happened in it.'}</p>`
  }
  const times = timeline.flatMap(({ at, until }) => [at, until].filter((time) => time !== null).map(Number))
  const first = Math.min(+start, ...times)
  const last = Math.max(...times, first + 1)
  const rows = timeline.map((event) => eventRow(event, { day: local.start.slice(0, 10), first, last }))
  return table(`Timeline, ${number(timeline.length)} events`, COLUMNS, rows)
}

/** On a phone, who, queue and detail follow below the event. */
function eventRow(
  { at, until, local, event, who, queue, detail, note }: TimelineEvent,
  { day, first, last }: { readonly day: string; readonly first: number; readonly last: number },
): Html {
  const words = event.replaceAll('_', ' ')
  const name = words.charAt(0).toUpperCase() + words.slice(1)
  // the queue's own party has its name in the next column
  const party = who === 'acd' && queue !== null ? null : who
  const below = [party, queue, detail, note].filter((text) => text !== null && text !== '')
  const length = at && until ? span(seconds(at, until)) : ''
  return markup`<tr><td>${at && local ? second(at, local, day) : nothing}</td>
<th scope="row">${name}${below.length > 0 ? markup`<span class="detail-line narrow quiet">${below.map((each, index) => markup`${index > 0 ? ' · ' : ''}<bdi>${each}</bdi>`)}</span>` : ''}</th>
<td class="right">${length}</td>
<td class="wide bar-cell">${at ? bar(+at, +(until ?? at), first, last) : ''}</td>
<td class="wide">${text(party)}</td><td class="wide">${text(queue)}</td><td class="wide">${text(detail)}${note ? markup` <q class="note"><bdi>${note}</bdi></q>` : ''}</td></tr>`

  function text(value: string | null): Html {
    return value === null || value === '' ? markup`` : markup`<bdi>${value}</bdi>`
  }
}

/** When an event took place, within the whole conversation. */
function bar(from: number, to: number, first: number, last: number): Html {
  const share = (time: number): number => Math.round((10_000 * (time - first)) / (last - first)) / 100
  const width = Math.max(0.6, share(to) - share(from))
  return markup`<svg class="bar" viewBox="0 0 100 8" preserveAspectRatio="none" aria-hidden="true">
<rect x="${Math.min(share(from), 100 - width)}" width="${width}" height="8" /></svg>`
}

function seconds(from: Date, to: Date): number {
  return (+to - +from) / 1000
}

/** 2026-11-21 14:05. */
function minute(local: string): string {
  return local.slice(0, 16)
}

/** 14:05:09, with the day where it is another than that of the start. */
function second(at: Date, local: string, startDay: string): Html {
  const [date, clock] = local.split(' ')
  return markup`<time datetime="${at.toISOString()}" title="${at.toISOString()}">${date === startDay ? '' : `${dayName(date!)} `}${clock!}</time>`
}
