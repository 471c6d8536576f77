/** `/live`: the wallboard. Data in, HTML out. */
import type { BusyAgent, QueueNow, Wallboard } from '../../warehouse/live-queries.ts'
import type { View } from '../routes.ts'
import type { LiveView } from '../service-status.ts'
import { counting, markup, named, nothing, number, type Html } from './format.ts'
import { mainOf, part, scrolling } from './layout.ts'
import { trend } from './trend-view.ts'

/** Who waits longer than this stands out. */
export const LONG_WAIT_SECONDS = 120
/** As many queues as fit on a wall; those in which nothing happens come last and are left out first. */
const QUEUES_ON_A_WALL = 14
const AGENTS_ON_A_WALL = 18

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
  const parts = [part('picture', null, picture(view), markup`aria-label="Age of the picture"`)]
  if (board && snapshotAt) {
    parts.push(
      part('totals', null, totals(view, board), markup`aria-label="Totals"`),
      part('queues', 'Queues', queueTable(board.queues, view, snapshotAt)),
      part('trend', `The last ${board.trendHours} hours`, trend(board.trend, now, board.trendHours)),
      part('states', 'Open conversations', states(live?.byState ?? {})),
      part('agents', 'Busy agents', agents(board, view)),
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
  const age = counting(live.snapshotAt, now)
  const why = live.failure ? markup` The last attempt failed: ${live.failure.error}` : ''
  return markup`<p class="banner stale" ${isStale ? '' : markup`hidden`}><strong>Stale: this picture is ${age} old.</strong> Don’t go by it.${why}</p>
<p class="age">Picture ${age} old${live.stretched ? ', less often than scheduled to spare the request limit' : ''}${!isStale && live.failure ? markup`. The last attempt failed: ${live.failure.error}` : ''}</p>`
}

function totals({ at: now, live }: LiveView, { queues, agentsTotal }: Wallboard): Html {
  const waiting = live?.byState['waiting'] ?? 0
  const handled = (live?.byState['interacting'] ?? 0) + (live?.byState['hold'] ?? 0)
  const since = longestSince(queues, live?.snapshotAt ?? now)
  const isLong = isLongWait(since, now)
  const total = (label: string, value: Html, isTrouble = false): Html =>
    markup`<div class="total ${isTrouble ? 'trouble' : ''}"><dt>${label}</dt><dd>${value}</dd></div>`
  return markup`<dl class="total-list">
${total('Waiting', markup`${number(waiting)}`, isLong)}
${total('Longest wait', counting(since, now), isLong)}
${total('Interacting', markup`${number(handled)}`)}
${total('Agents busy', markup`${number(agentsTotal)}`)}
${total('Open in all', markup`${number(live?.conversations ?? 0)}`)}
</dl>`
}

function longestSince(queues: readonly QueueNow[], snapshotAt: Date): Date | null {
  const all = queues.map((queue) => waitingSince(queue, snapshotAt)).filter((since) => since !== null)
  return all.reduce<Date | null>((earliest, since) => (!earliest || since < earliest ? since : earliest), null)
}

function waitingSince({ waiting, waitingSince, longestWaitSeconds }: QueueNow, snapshotAt: Date): Date | null {
  if (waiting === 0) return null
  if (waitingSince) return waitingSince
  return longestWaitSeconds === null ? null : new Date(+snapshotAt - longestWaitSeconds * 1000)
}

function isLongWait(since: Date | null, now: Date): boolean {
  return since !== null && (+now - +since) / 1000 >= LONG_WAIT_SECONDS
}

function queueTable(queues: readonly QueueNow[], { at: now, nameOf }: LiveView, snapshotAt: Date): Html {
  if (queues.length === 0) return markup`<p>No conversation is in a queue.</p>`
  const shown = queues.slice(0, QUEUES_ON_A_WALL)
  const most = Math.max(1, ...queues.map(({ waiting }) => waiting))
  const rest = queues.length - shown.length
  return markup`${scrolling(
    'Queues',
    markup`<table>
<thead><tr><th scope="col">Queue</th><th scope="col" class="right">Waiting</th><th scope="col" class="wide"><span class="unseen">Waiting, as a bar</span></th><th scope="col" class="right">Longest</th><th scope="col" class="right wide">Alerting</th><th scope="col" class="right">Interacting</th><th scope="col" class="right wide">Hold</th><th scope="col" class="right wide">After call</th><th scope="col" class="right">Agents</th></tr></thead>
<tbody>${shown.map((queue) => {
      const since = waitingSince(queue, snapshotAt)
      const isLong = isLongWait(since, now)
      return markup`<tr class="${isLong ? 'trouble' : ''}"><th scope="row">${named(nameOf, 'queue', queue.queueId)} <span class="quiet media">${queue.mediaTypes.join(', ')}</span></th>
<td class="right strong">${count(queue.waiting)}</td>
<td class="wide bar-cell">${bar(queue.waiting, most)}</td>
<td class="right strong">${isLong ? markup`<span class="flag" aria-hidden="true">▲</span><span class="unseen">long: </span>` : ''}${counting(since, now)}</td>
<td class="right wide">${count(queue.alerting)}</td>
<td class="right">${count(queue.interacting)}</td>
<td class="right wide">${count(queue.hold)}</td>
<td class="right wide">${count(queue.acw)}</td>
<td class="right">${onQueue(queue)}</td></tr>`
    })}</tbody></table>`,
  )}
${rest > 0 ? markup`<p class="quiet">and ${number(rest)} queues with less waiting</p>` : ''}`
}

function onQueue({ onQueueUsers, offQueueUsers }: QueueNow): Html {
  if (onQueueUsers === null) return nothing
  const all = onQueueUsers + (offQueueUsers ?? 0)
  return markup`${number(onQueueUsers)}${offQueueUsers === null ? '' : markup`<span class="quiet"> of ${number(all)}</span>`}`
}

/** Zeros recede, so that what happens stands out. */
function count(value: number): Html {
  return value === 0 ? markup`<span class="zero">0</span>` : markup`${number(value)}`
}

function bar(value: number, most: number): Html {
  return markup`<svg class="bar" viewBox="0 0 100 8" preserveAspectRatio="none" aria-hidden="true"><rect width="${(100 * value) / most}" height="8" /></svg>`
}

function states(byState: Readonly<Record<string, number>>): Html {
  const most = Math.max(1, ...Object.values(byState))
  const known = STATES.filter(([state]) => (byState[state] ?? 0) > 0)
  if (known.length === 0) return markup`<p>None is open.</p>`
  return markup`<table><thead class="unseen"><tr><th scope="col">State</th><th scope="col">Conversations</th><th scope="col">As a bar</th></tr></thead>
<tbody>${known.map(([state, name]) => markup`<tr><th scope="row">${name}</th><td class="right strong">${number(byState[state] ?? 0)}</td><td class="bar-cell">${bar(byState[state] ?? 0, most)}</td></tr>`)}</tbody></table>`
}

function agents({ agents, agentsTotal }: Wallboard, { at: now, nameOf }: LiveView): Html {
  if (agents.length === 0) return markup`<p>Nobody is busy.</p>`
  const shown = agents.slice(0, AGENTS_ON_A_WALL)
  return markup`${scrolling(
    'Busy agents',
    markup`<table>
<thead><tr><th scope="col">Agent</th><th scope="col">Doing</th><th scope="col" class="wide">Queue</th><th scope="col" class="right">For</th></tr></thead>
<tbody>${shown.map((agent) => agentRow(agent))}</tbody></table>`,
  )}
${agentsTotal > shown.length ? markup`<p class="quiet">and ${number(agentsTotal - shown.length)} more, busy for less long</p>` : ''}`

  function agentRow({ userId, state, since, queueId, conversations }: BusyAgent): Html {
    const doing = STATES.find(([name]) => name === state)?.[1] ?? state
    return markup`<tr><th scope="row">${named(nameOf, 'user', userId)}</th><td>${doing}${conversations > 1 ? markup` <span class="quiet">×${number(conversations)}</span>` : ''}</td><td class="wide quiet">${named(nameOf, 'queue', queueId)}</td><td class="right strong">${counting(since, now)}</td></tr>`
  }
}
