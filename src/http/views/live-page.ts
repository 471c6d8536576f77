/** `/live`: the wallboard. Data in, HTML out. */
import type { BusyAgent, QueueNow, Wallboard } from '../../live/wallboard.ts'
import type { View } from './layout.ts'
import type { LiveView } from '../service-status.ts'
import { counting, markup, named, nothing, number, type Html } from './format.ts'
import { mainOf, part, scrolling } from './layout.ts'
import { trend } from './trend-view.ts'

/** Who waits longer than this stands out. */
const LONG_WAIT_SECONDS = 120
/** As many queues as a wall has room for at most; those in which nothing happens come last and are left out first. */
const QUEUES_ON_A_WALL = 9
const AGENTS_SHOWN = 12

const STATES: readonly (readonly [string, string])[] = [
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

/** The wallboard. Where there is nothing to show it says why. */
export function livePage(view: LiveView): View {
  const { at: now, board, live, staleSeconds } = view
  const title = 'Wallboard · genesys-etl'
  const snapshotAt = live?.snapshotAt ?? null
  const isStale = snapshotAt !== null && (+now - +snapshotAt) / 1000 > staleSeconds
  // Of an old picture only its age goes on: who waited in it may be gone.
  const asOf = isStale ? snapshotAt : now
  const parts = [
    part(
      'picture',
      null,
      markup`<h1 class="unseen">Wallboard</h1>${picture(view)}`,
      markup`aria-label="Age of the picture"`,
    ),
  ]
  if (board && snapshotAt) {
    parts.push(
      part('totals', null, totals(view, board, asOf), markup`aria-label="Totals"`),
      part('queues', 'Queues', queueTable(board.queues, view, asOf)),
      part('trend', `The last ${board.trendHours} hours`, trend(board.trend, now, board.trendHours)),
      part('states', 'Open conversations', states(live?.byState ?? {})),
      part('agents', 'Busy agents', agents(board, view, asOf)),
    )
  }
  return {
    title,
    current: '/live',
    isWhole: board !== null,
    main: mainOf({
      title,
      now,
      className: 'live',
      told: toldOf(view),
      live: snapshotAt && { at: snapshotAt, staleSeconds },
      parts,
    }),
  }
}

function toldOf({ at: now, board, live, staleSeconds }: LiveView): string {
  if (!board) return 'The database does not answer'
  if (!live?.snapshotAt) return 'There is no picture yet'
  return (+now - +live.snapshotAt) / 1000 > staleSeconds ? 'The picture is stale' : 'The picture is current'
}

function picture({ at: now, live, reason, board, isLiveOn, staleSeconds }: LiveView): Html {
  const loud = (title: string, text: unknown): Html => markup`<p class="banner"><strong>${title}</strong> ${text}</p>`
  if (!board) return loud('The database does not answer.', reason ?? '')
  if (!isLiveOn) return loud('Live is off.', 'Set LIVE_SOURCE to analytics to turn it on.')
  if (!live?.snapshotAt)
    return loud('There is no picture yet.', live?.failure?.error ?? 'The first snapshot is on its way.')
  const isStale = (+now - +live.snapshotAt) / 1000 > staleSeconds
  const why = live.failure ? markup`<span class="why">The last attempt failed: ${live.failure.error}</span>` : ''
  const less = live.stretched ? 'Snapshots come less often than scheduled, to spare the request limit.' : ''
  return markup`<p class="banner stale" ${isStale ? '' : markup`hidden`}><strong>Stale: this picture is ${counting(live.snapshotAt, now)} old.</strong> Don’t go by it. ${why}</p>
${!isStale && (why || less) ? markup`<p class="aside">${why} ${less}</p>` : ''}`
}

function totals({ at: now, live }: LiveView, { queues, agentsTotal }: Wallboard, asOf: Date): Html {
  const waiting = live?.byState['waiting'] ?? 0
  const handled = (live?.byState['interacting'] ?? 0) + (live?.byState['hold'] ?? 0)
  const since = longestSince(queues)
  const isLong = isLongWait(since, asOf)
  // The rows tell of e-mail too, which may wait for days without anybody on the line.
  const isLongest = queues.every(
    ({ waitingSince, urgentSince }) => waitingSince === null || (urgentSince !== null && +urgentSince <= +waitingSince),
  )
  const total = (label: string, value: Html, isTrouble = false): Html =>
    markup`<div class="total ${isTrouble ? 'trouble' : ''}"><dt>${label}</dt><dd>${value}</dd></div>`
  return markup`<dl class="total-list">
${total('Waiting', markup`${number(waiting)}`, isLong)}
${total(isLongest ? 'Longest wait' : 'Longest, e-mail apart', counting(since, asOf), isLong)}
${total('Interacting', markup`${number(handled)}`)}
${total('Agents busy', markup`${number(agentsTotal)}`)}
${total('Open in all', markup`${number(live?.conversations ?? 0)}`)}
<div class="total age"><dt>Age of the picture</dt><dd>${counting(live?.snapshotAt ?? null, now)}</dd></div>
</dl>`
}

function longestSince(queues: readonly QueueNow[]): Date | null {
  return earliest(queues.map(({ urgentSince }) => urgentSince))
}

function earliest(dates: readonly (Date | null)[]): Date | null {
  return dates.reduce((first, date) => (first && (!date || first <= date) ? first : date), null)
}

function isLongWait(since: Date | null, now: Date): boolean {
  return since !== null && (+now - +since) / 1000 >= LONG_WAIT_SECONDS
}

function queueTable(queues: readonly QueueNow[], { nameOf, live }: LiveView, asOf: Date): Html {
  if (queues.length === 0) return markup`<p>No conversation is in a queue.</p>`
  const most = Math.max(1, ...queues.map(({ waiting }) => waiting))
  // the other source never has them
  const lacksAgents = live?.source === 'analytics' && queues.every(({ onQueueUsers }) => onQueueUsers === null)
  return markup`${scrolling(
    'Queues',
    markup`<table>
<thead><tr><th scope="col">Queue</th><th scope="col" class="right">Waiting</th><th scope="col" class="wide"><span class="unseen">Waiting, as a bar</span></th><th scope="col" class="right">Longest</th><th scope="col" class="right wide">Alerting</th><th scope="col" class="right"><abbr title="Interacting">Int<span class="wide">eracting</span></abbr></th><th scope="col" class="right wide">Hold</th><th scope="col" class="right wide">After call</th><th scope="col" class="right">Agents</th></tr></thead>
<tbody>${queues.map((queue) => {
      const isLong = isLongWait(queue.urgentSince, asOf)
      return markup`<tr class="${isLong ? 'trouble' : ''}"><th scope="row">${named(nameOf, 'queue', queue.queueId)} <span class="quiet media wide">${queue.mediaTypes.join(', ')}</span></th>
<td class="right strong">${count(queue.waiting)}</td>
<td class="wide bar-cell">${bar(queue.waiting, most)}</td>
<td class="right strong">${isLong ? markup`<span class="flag" aria-hidden="true">▲</span><span class="unseen">long: </span>` : ''}${counting(queue.waitingSince, asOf)}</td>
<td class="right wide">${count(queue.alerting)}</td>
<td class="right">${count(queue.interacting)}</td>
<td class="right wide">${count(queue.hold)}</td>
<td class="right wide">${count(queue.acw)}</td>
<td class="right">${onQueue(queue)}</td></tr>`
    })}</tbody></table>`,
  )}
${leftOut(QUEUES_ON_A_WALL, queues.length, (shown) => otherQueues(queues.slice(shown), asOf))}
${lacksAgents ? markup`<p class="quiet">Agents on queue could not be read: the doctor command tells which permission is missing.</p>` : ''}`
}

function otherQueues(others: readonly QueueNow[], asOf: Date): Html {
  const waiting = others.reduce((sum, queue) => sum + queue.waiting, 0)
  const since = earliest(others.map(({ waitingSince }) => waitingSince))
  return markup`and ${number(others.length)} more ${others.length === 1 ? 'queue' : 'queues'}: ${number(waiting)} waiting${since ? markup`, longest ${counting(since, asOf)}` : ''}`
}

/**
 * What to say of the rows below the first one, two, … `limit`. A wall shows as many rows as fit, which page.js finds out, with
 * the line that belongs to them; the last line is the one to begin with.
 */
function leftOut(limit: number, all: number, line: (shown: number) => Html): Html {
  const counts = Array.from({ length: Math.min(limit, all - 1) }, (_, index) => index + 1)
  return markup`${counts.map((shown) => markup`<p class="quiet more" data-after="${shown}" ${shown === limit ? '' : markup`hidden`}>${line(shown)}</p>`)}`
}

function onQueue({ onQueueUsers, offQueueUsers }: QueueNow): Html {
  if (onQueueUsers === null) return nothing
  const all = onQueueUsers + (offQueueUsers ?? 0)
  return markup`${number(onQueueUsers)}${offQueueUsers === null ? '' : markup`<span class="quiet wide"> of ${number(all)}</span>`}`
}

/** Zeros recede, so that what happens stands out. */
function count(value: number): Html {
  return value === 0 ? markup`<span class="zero">0</span>` : markup`${number(value)}`
}

function bar(value: number, most: number): Html {
  return markup`<svg class="bar" viewBox="0 0 100 8" preserveAspectRatio="none" aria-hidden="true"><rect width="${(100 * value) / most}" height="8" /></svg>`
}

/** One bar for all, its parts in the order of a conversation's life, and what each of them is. */
function states(byState: Readonly<Record<string, number>>): Html {
  const known = STATES.map(([state, name]) => ({ state, name, count: byState[state] ?? 0 })).filter(
    ({ count }) => count > 0,
  )
  const all = known.reduce((sum, { count }) => sum + count, 0)
  if (all === 0) return markup`<p>None is open.</p>`
  let offset = 0
  const bars = known.map(({ state, count }) => {
    const x = offset
    offset += (100 * count) / all
    return markup`<rect class="fill-${state}" x="${x}" width="${(100 * count) / all}" height="8" />`
  })
  return markup`<svg class="stack" viewBox="0 0 100 8" preserveAspectRatio="none" aria-hidden="true">${bars}</svg>
<ul class="stack-legend">${known.map(({ state, name, count }) => markup`<li><svg class="swatch" viewBox="0 0 8 8" aria-hidden="true"><rect class="fill-${state}" width="8" height="8" /></svg><b>${number(count)}</b> ${name}</li>`)}</ul>`
}

function agents({ agents, agentsTotal }: Wallboard, { nameOf }: LiveView, asOf: Date): Html {
  if (agents.length === 0) return markup`<p>Nobody is busy.</p>`
  const shown = agents.slice(0, AGENTS_SHOWN)
  return markup`${scrolling(
    'Busy agents',
    markup`<table>
<thead><tr><th scope="col">Agent</th><th scope="col">Doing</th><th scope="col" class="wide">Queue</th><th scope="col" class="right">For</th></tr></thead>
<tbody>${shown.map((agent) => agentRow(agent))}</tbody></table>`,
  )}
${leftOut(AGENTS_SHOWN, agentsTotal, (count) => markup`and ${number(agentsTotal - count)} more, busy for less long`)}`

  function agentRow({ userId, state, since, queueId, conversations }: BusyAgent): Html {
    const doing = STATES.find(([name]) => name === state)?.[1] ?? state
    return markup`<tr><th scope="row">${named(nameOf, 'user', userId)}</th><td>${doing}${conversations > 1 ? markup` <span class="quiet">×${number(conversations)}</span>` : ''}</td><td class="wide quiet">${named(nameOf, 'queue', queueId)}</td><td class="right strong">${counting(since, asOf)}</td></tr>`
  }
}
