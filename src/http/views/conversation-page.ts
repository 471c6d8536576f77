/** `/conversations/ID`: one conversation, its head and its timeline. Data in, HTML out. */
import { type Conversation, type ConversationFacts, type TimelineEvent } from '../../reporting/conversation-query.ts'
import { type ConversationView } from '../conversation-route.ts'
import { day, markup, nothing, number, plural, span, type Html } from './format.ts'
import { mainOf, part, plainPart, table, type Column, type View } from './layout.ts'

const TITLE = 'Conversation · genesys-etl'

/** The page of a conversation, or of the reason why it could not be read. */
export function conversationPage({ at: now, conversation, reason, showPersonal }: ConversationView): View {
  if (conversation === null) {
    const banner = markup`<h1 class="unseen">Conversation</h1>
<p class="banner"><strong>The conversation could not be read.</strong> ${reason ?? ''}</p>`
    return staticPage(now, 'The conversation could not be read', [plainPart('head', 'Conversation', banner)], false)
  }
  const { timeline } = conversation
  return staticPage(now, `Conversation of ${minute(conversation.start)}`, [
    plainPart('head', 'Conversation', head(conversation, now)),
    part('timeline', 'Timeline', timelineContent(conversation)),
    ...(timeline.length > 0 && !showPersonal
      ? [plainPart('privacy', 'Personal data', markup`<p class="quiet">Addresses and notes are not shown.</p>`)]
      : []),
  ])
}

/** The page of an id that no stored conversation has. */
export function missingConversationPage(): View {
  const content = markup`<h1>No such conversation</h1>
<p>No conversation with this id is stored. It may have started on a day that is not loaded: the <a href="/">status</a> shows which days are.</p>`
  return staticPage(new Date(), 'No such conversation', [plainPart('head', 'Conversation', content)])
}

function staticPage(now: Date, announcement: string, parts: readonly Html[], isComplete = true): View {
  const main = mainOf({ title: TITLE, now, className: 'conversation', announcement, parts })
  return { title: TITLE, current: '/reports', isComplete, footer: 'Times are UTC.', main }
}

function head(conversation: Conversation, now: Date): Html {
  const { id, start, end, isFinal, missingSince, loadedAt, facts } = conversation
  const figures = [
    figure('Started', minute(start)),
    figure('Ended', end ? minute(end) : 'open', end ? `after ${span(seconds(start, end))}` : ''),
    ...(facts ? factFigures(facts, end === null) : []),
    figure('Record', isFinal ? 'final' : 'may change', `loaded ${minute(loadedAt)}`),
  ]
  return markup`<h1>${facts ? kind(facts) : 'Conversation'}, ${day(start)} ${start.getUTCFullYear()}</h1>
<p><code>${id}</code></p>
${notice(missingSince, facts, now)}
<dl class="figure-list">${figures}</dl>`
}

/** `Voice, inbound`. */
function kind({ mediaTypes, messageType, direction }: ConversationFacts): string {
  const media = mediaTypes.length > 0 ? mediaTypes.join(', ') : 'conversation'
  const words = [messageType === null ? media : `${media} (${messageType})`, direction].filter(Boolean).join(', ')
  return words.charAt(0).toUpperCase() + words.slice(1)
}

function notice(missingSince: Date | null, facts: ConversationFacts | null, now: Date): Html {
  if (missingSince) {
    return markup`<p class="banner"><strong>Genesys has it no more</strong> since ${minute(missingSince)}: it counts in no report.</p>`
  }
  if (facts) return markup``
  return markup`<p class="banner"><strong>It is not in the reports yet.</strong> Their rows are being filled; as of ${minute(now)}.</p>`
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

function timelineContent({ timeline, start, missingSince }: Conversation): Html {
  if (timeline.length === 0) {
    return markup`<p>${missingSince ? 'What Genesys has no more has no timeline.' : 'Nothing is known of what happened in it.'}</p>`
  }
  const times = timeline.flatMap(({ at, until }) => [at, until].filter((time) => time !== null).map(Number))
  const first = Math.min(+start, ...times)
  const last = Math.max(...times, first + 1)
  const rows = timeline.map((event) => eventRow(event, { start, first, last }))
  return table(`Timeline, ${number(timeline.length)} events`, COLUMNS, rows)
}

/** On a phone, who, queue and detail follow below the event. */
function eventRow(
  { at, until, event, who, queue, detail, note }: TimelineEvent,
  { start, first, last }: { readonly start: Date; readonly first: number; readonly last: number },
): Html {
  const words = event.replaceAll('_', ' ')
  const name = words.charAt(0).toUpperCase() + words.slice(1)
  // the queue's own party has its name in the next column
  const party = who === 'acd' && queue !== null ? null : who
  const below = [party, queue, detail, note].filter((text) => text !== null && text !== '')
  const length = at && until ? span(seconds(at, until)) : ''
  return markup`<tr><td>${at ? second(at, start) : nothing}</td>
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
function minute(at: Date): string {
  return at.toISOString().slice(0, 16).replace('T', ' ')
}

/** 14:05:09, with the day where it is another than that of the start. */
function second(at: Date, start: Date): Html {
  const iso = at.toISOString()
  const isOtherDay = iso.slice(0, 10) !== start.toISOString().slice(0, 10)
  return markup`<time datetime="${iso}" title="${iso}">${isOtherDay ? `${day(at)} ` : ''}${iso.slice(11, 19)}</time>`
}
