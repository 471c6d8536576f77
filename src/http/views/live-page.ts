/** `/live`: the wallboard. Data in, HTML out. */
import { type BusyAgent, type QueueNow, type Wallboard } from '../../live/wallboard.ts'
import { type LiveView } from '../service-status.ts'
import { trendChart } from './chart.ts'
import { counting, markup, named, nothing, number, plural, type Html } from './format.ts'
import { mainOf, omitted, part, plainPart, table, type Column, type View } from './layout.ts'
import { todayContent } from './today-part.ts'

/** A longer wait is highlighted. */
const LONG_WAIT_SECONDS = 120
/** A wall has room for at most this many queues. Queues without activity come last and are left out first. */
const QUEUES_ON_A_WALL = 9
const AGENTS_SHOWN = 12

/** The states of a conversation in the order of its life, and their names. */
const STATES: readonly (readonly [state: string, name: string])[] = [
  ['ivr', 'in a flow'],
  ['waiting', 'waiting'],
  ['alerting', 'alerting'],
  ['dialing', 'dialing'],
  ['interacting', 'interacting'],
  ['hold', 'on hold'],
  ['acw', 'after-call work'],
  ['scheduled', 'scheduled'],
  ['other', 'other'],
]

/** The columns of the queue table that count conversations; they add up to its last row. */
const COUNTS = ['waiting', 'alerting', 'interacting', 'hold', 'acw'] as const
type Counts = Readonly<Record<(typeof COUNTS)[number], number>>

/** What the components of the board need beside their rows. */
interface BoardContext {
  readonly board: Wallboard
  readonly view: LiveView
  /** The instant up to which waits are counted. In stale data, only its age still counts up. */
  readonly asOf: Date
}

/** The wallboard. Without data it says why. */
export function livePage(view: LiveView): View {
  const { at: now, board, live, staleSeconds } = view
  const title = 'Wallboard · genesys-etl'
  const snapshotAt = live?.snapshotAt ?? null
  const parts = [plainPart('freshness', 'Age of the data', markup`<h1 class="unseen">Wallboard</h1>${freshness(view)}`)]
  if (board && snapshotAt) {
    const context = { board, view, asOf: isStale(view) ? snapshotAt : now }
    parts.push(
      plainPart('totals', 'Totals', totals(context)),
      part('queues', 'Queues', queueTable(context)),
      ...(board.today ? [part('today', 'Today', todayContent(board.today, now, view.nameOf))] : []),
      part('trend', `The last ${board.trendHours} hours`, trendChart(board.trend, now, board.trendHours)),
      part('states', 'Open conversations', states(board.byState)),
      part('agents', 'Busy agents', agentTable(context)),
    )
  }
  return {
    title,
    current: '/live',
    isComplete: board !== null,
    main: mainOf({
      title,
      now,
      className: 'live',
      announcement: announcement(view),
      live: snapshotAt && { at: snapshotAt, staleSeconds },
      parts,
    }),
  }
}

function isStale({ at, live, staleSeconds }: LiveView): boolean {
  return live?.snapshotAt ? secondsSince(live.snapshotAt, at) > staleSeconds : false
}

function secondsSince(instant: Date, now: Date): number {
  return (+now - +instant) / 1000
}

function announcement(view: LiveView): string {
  if (!view.board) return 'The database does not answer'
  if (!view.live?.snapshotAt) return 'There is no snapshot yet'
  return isStale(view) ? 'The data is stale' : 'The data is current'
}

/** What a viewer must know before trusting the figures; empty while the data is current. */
function freshness(view: LiveView): Html {
  const { at: now, live, reason, board, isLiveOn } = view
  const banner = (title: string, text: string): Html => markup`<p class="banner"><strong>${title}</strong> ${text}</p>`
  if (!board) return banner('The database does not answer.', reason ?? '')
  if (!isLiveOn) return banner('Live is off.', 'Set LIVE_SOURCE to analytics to turn it on.')
  if (!live?.snapshotAt) {
    return banner('There is no snapshot yet.', live?.failure?.error ?? 'The first one is being taken.')
  }
  const stale = isStale(view)
  const failure = live.failure ? markup`<span class="why">The last attempt failed: ${live.failure.error}</span>` : ''
  const throttled = live.stretched ? 'Snapshots are throttled to stay within the request limit.' : ''
  return markup`<p class="banner stale" ${stale ? '' : markup`hidden`}>
<strong>Stale: this snapshot is ${counting(live.snapshotAt, now)} old.</strong> Do not rely on it. ${failure}</p>
${!stale && (failure || throttled) ? markup`<p class="aside">${failure} ${throttled}</p>` : ''}`
}

function totals({ board, view, asOf }: BoardContext): Html {
  const { queues, byState, agentsTotal } = board
  const longest = earliest(queues.map(({ urgentSince }) => urgentSince))
  const isLong = isLongWait(longest, asOf)
  const open = Object.values(byState).reduce((sum, count) => sum + count, 0)
  const total = (label: string, value: Html | string, className = ''): Html =>
    markup`<div class="total ${className}"><dt>${label}</dt><dd>${value}</dd></div>`
  return markup`<dl class="total-list">
${total('Waiting', number(byState['waiting'] ?? 0), isLong ? 'trouble' : '')}
${total('Longest wait', counting(longest, asOf), isLong ? 'trouble' : '')}
${total('Interacting', number(byState['interacting'] ?? 0))}
${total('Busy agents', number(agentsTotal))}
${total('Open', number(open))}
${total('Age of the data', counting(view.live?.snapshotAt ?? null, view.at), 'age')}
</dl>`
}

function earliest(dates: readonly (Date | null)[]): Date | null {
  return dates.reduce((first, date) => (first && (!date || first <= date) ? first : date), null)
}

function isLongWait(since: Date | null, now: Date): boolean {
  return since !== null && secondsSince(since, now) >= LONG_WAIT_SECONDS
}

const QUEUE_COLUMNS: readonly Column[] = [
  { heading: 'Queue' },
  { heading: 'Waiting', className: 'right' },
  { heading: markup`<span class="unseen">Waiting, as a bar</span>`, className: 'wide' },
  { heading: markup`Longest<span class="wide"> wait</span>`, className: 'right' },
  { heading: 'Alerting', className: 'right wide' },
  { heading: markup`<abbr title="Interacting">Int<span class="wide">eracting</span></abbr>`, className: 'right' },
  { heading: 'On hold', className: 'right wide' },
  { heading: 'After call', className: 'right wide' },
  { heading: 'On queue', className: 'right' },
]

function queueTable(context: BoardContext): Html {
  const { board, view, asOf } = context
  const { queues, byState } = board
  const inQueues = sumCounts(queues)
  const all = Object.fromEntries(COUNTS.map((state) => [state, byState[state] ?? 0])) as unknown as Counts
  const isAnyOutside = COUNTS.some((state) => all[state] > inQueues[state])
  if (queues.length === 0 && !isAnyOutside) return markup`<p>No conversation is in a queue.</p>`
  const max = Math.max(1, ...queues.map(({ waiting }) => waiting))
  const rows = queues.map((queue) => queueRow(queue, max, context))
  const foot = markup`${isAnyOutside ? countsRow('Without a queue', subtractCounts(all, inQueues)) : ''}
${countsRow(isAnyOutside ? 'Total' : `All ${plural(queues.length, 'queue')}`, all)}`
  // Only the organization source reads agents on queue.
  const lacksAgents = view.live?.source === 'analytics' && queues.every(({ onQueueUsers }) => onQueueUsers === null)
  const hasMail = queues.some(({ waitingSince, urgentSince }) => isMailWait(waitingSince, urgentSince))
  return markup`${table('Queues', QUEUE_COLUMNS, rows, foot)}
${omitted(QUEUES_ON_A_WALL, queues.length, (shown) => otherQueues(queues.slice(shown), asOf))}
${hasMail ? markup`<p class="quiet">The longest wait does not include e-mail; waits of e-mail are gray.</p>` : ''}
${lacksAgents ? markup`<p class="quiet">Agents on queue could not be read: doctor shows the missing permission.</p>` : ''}`
}

function sumCounts(rows: readonly Counts[]): Counts {
  const sum = (state: keyof Counts): number => rows.reduce((total, row) => total + row[state], 0)
  return Object.fromEntries(COUNTS.map((state) => [state, sum(state)])) as unknown as Counts
}

function subtractCounts(a: Counts, b: Counts): Counts {
  return Object.fromEntries(COUNTS.map((state) => [state, Math.max(0, a[state] - b[state])])) as unknown as Counts
}

function queueRow(queue: QueueNow, max: number, { view, asOf }: BoardContext): Html {
  const isLong = isLongWait(queue.urgentSince, asOf)
  return markup`<tr class="${isLong ? 'trouble' : ''}">
<th scope="row">${named(view.nameOf, 'queue', queue.queueId)}
<span class="quiet media wide">${queue.mediaTypes.join(', ')}</span></th>
<td class="right strong">${count(queue.waiting)}</td>
<td class="wide bar-cell">${bar(queue.waiting, max)}</td>
<td class="right strong">${longestWait(queue, asOf)}</td>
<td class="right wide">${count(queue.alerting)}</td>
<td class="right">${count(queue.interacting)}</td>
<td class="right wide">${count(queue.hold)}</td>
<td class="right wide">${count(queue.acw)}</td>
<td class="right">${onQueue(queue)}</td></tr>`
}

function countsRow(label: string, counts: Counts): Html {
  return markup`<tr><th scope="row">${label}</th>
<td class="right strong">${count(counts.waiting)}</td>
<td class="wide"></td><td></td>
<td class="right wide">${count(counts.alerting)}</td>
<td class="right">${count(counts.interacting)}</td>
<td class="right wide">${count(counts.hold)}</td>
<td class="right wide">${count(counts.acw)}</td>
<td></td></tr>`
}

/** The longest wait, e-mail not included: nobody waits on the line for it. Where only e-mail waits, that wait in gray. */
function longestWait({ waitingSince, urgentSince }: QueueNow, asOf: Date): Html {
  if (isMailWait(waitingSince, urgentSince) && urgentSince === null) {
    return markup`<span class="quiet"><span class="unseen">e-mail: </span>${counting(waitingSince, asOf)}</span>`
  }
  const flag = isLongWait(urgentSince, asOf)
    ? markup`<span class="flag" aria-hidden="true">▲</span><span class="unseen">long: </span>`
    : ''
  return markup`${flag}${counting(urgentSince, asOf)}`
}

function isMailWait(waitingSince: Date | null, urgentSince: Date | null): boolean {
  return waitingSince !== null && (urgentSince === null || +waitingSince < +urgentSince)
}

function otherQueues(others: readonly QueueNow[], asOf: Date): Html {
  const waiting = others.reduce((sum, queue) => sum + queue.waiting, 0)
  const longest = earliest(others.map(({ urgentSince }) => urgentSince))
  const wait = longest ? markup`, longest wait ${counting(longest, asOf)}` : ''
  return markup`and ${number(others.length)} more ${others.length === 1 ? 'queue' : 'queues'}: ${number(waiting)} waiting${wait}`
}

function onQueue({ onQueueUsers, offQueueUsers }: QueueNow): Html {
  if (onQueueUsers === null) return nothing
  const all = onQueueUsers + (offQueueUsers ?? 0)
  const ofAll = offQueueUsers === null ? '' : markup`<span class="quiet wide"> of ${number(all)}</span>`
  return markup`${number(onQueueUsers)}${ofAll}`
}

/** Zeros are pale, so that activity stands out. */
function count(value: number): Html {
  return value === 0 ? markup`<span class="zero">0</span>` : markup`${number(value)}`
}

function bar(value: number, max: number): Html {
  const width = (100 * value) / max
  return markup`<svg class="bar" viewBox="0 0 100 8" preserveAspectRatio="none" aria-hidden="true">
<rect width="${width}" height="8" /></svg>`
}

/** One bar of all open conversations, divided by state in the order of a conversation's life, with a legend. */
function states(byState: Wallboard['byState']): Html {
  const known = STATES.map(([state, name]) => ({ state, name, count: byState[state] ?? 0 })).filter(
    ({ count }) => count > 0,
  )
  const all = known.reduce((sum, { count }) => sum + count, 0)
  if (all === 0) return markup`<p>No conversation is open.</p>`
  let offset = 0
  const bars = known.map(({ state, count }) => {
    const x = offset
    offset += (100 * count) / all
    return markup`<rect class="fill-${state}" x="${x}" width="${(100 * count) / all}" height="8" />`
  })
  const swatch = (state: string): Html =>
    markup`<svg class="swatch" viewBox="0 0 8 8" aria-hidden="true"><rect class="fill-${state}" width="8" height="8" /></svg>`
  const entry = ({ state, name, count }: (typeof known)[number]): Html =>
    markup`<li>${swatch(state)}<b>${number(count)}</b> ${name}</li>`
  return markup`<svg class="stack" viewBox="0 0 100 8" preserveAspectRatio="none" aria-hidden="true">${bars}</svg>
<ul class="stack-legend">${known.map(entry)}</ul>`
}

const AGENT_COLUMNS: readonly Column[] = [
  { heading: 'Agent' },
  { heading: 'State' },
  { heading: 'Queue', className: 'wide' },
  { heading: 'For', className: 'right' },
]

function agentTable(context: BoardContext): Html {
  const { agents, agentsTotal } = context.board
  if (agents.length === 0) return markup`<p>No agent is busy.</p>`
  const rows = agents.slice(0, AGENTS_SHOWN).map((agent) => agentRow(agent, context))
  const others = (shown: number): Html => markup`and ${plural(agentsTotal - shown, 'more agent')}, busy for less time`
  return markup`${table('Busy agents', AGENT_COLUMNS, rows)}
${omitted(AGENTS_SHOWN, agentsTotal, others)}`
}

function agentRow({ userId, state, since, queueId, conversations }: BusyAgent, { view, asOf }: BoardContext): Html {
  const name = STATES.find(([each]) => each === state)?.[1] ?? state
  const several = conversations > 1 ? markup` <span class="quiet">×${number(conversations)}</span>` : ''
  return markup`<tr><th scope="row">${named(view.nameOf, 'user', userId)}</th><td>${name}${several}</td>
<td class="wide quiet">${named(view.nameOf, 'queue', queueId)}</td>
<td class="right strong">${counting(since, asOf)}</td></tr>`
}
