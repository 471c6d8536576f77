/** `/`: is all well, and if not, what is wrong and what to do. Data in, HTML out. */
import type { Problem } from '../../monitoring/problems.ts'
import type { RunSummary } from '../../monitoring/records.ts'
import type { StatusDocument } from '../../monitoring/status.ts'
import type { JobState } from '../../schedule.ts'
import type { View } from './layout.ts'
import type { ServiceStatus } from '../service-status.ts'
import { calendar } from './calendar-view.ts'
import { counting, day, instant, markup, nothing, number, span, time, type Html } from './format.ts'
import { mainOf, part, scrolling } from './layout.ts'

/** The status page. Without a document it shows why, and what the process itself knows. */
export function statusPage(status: ServiceStatus): View {
  const { at: now, document, process } = status
  const verdict = verdictOf(status)
  const title = `${verdict.words} · genesys-etl`
  const books = document
    ? [
        part('figures', null, figures(document, status), markup`aria-label="Figures"`),
        part('coverage', 'History, day by day', coverage(document, now)),
      ]
    : []
  const rest = document
    ? [
        part('runs', 'Latest runs', runsTable(document.runs, now)),
        ...(document.rejectedRecords > 0 ? [part('rejected', 'Rejected records', rejectedTable(document, now))] : []),
      ]
    : []
  return {
    title,
    current: '/',
    isWhole: document !== null,
    main: mainOf({
      title,
      now,
      className: 'status',
      told: [verdict.words, ...problemsOf(status).map(({ title }) => title)].join('. '),
      parts: [
        part('verdict', null, verdictPart(verdict), markup`aria-label="State"`),
        part('problems', null, problemList(problemsOf(status), now), markup`aria-label="What is wrong and what to do"`),
        ...books,
        part('schedule', 'Jobs', scheduleTable(process.jobs, document, now)),
        part('budget', 'Requests to Genesys', budget(process.budget)),
        ...rest,
      ],
    }),
  }
}

interface Verdict {
  readonly kind: 'ok' | 'behind' | 'failing'
  readonly words: string
  readonly detail: string
}

function verdictOf({ document }: ServiceStatus): Verdict {
  if (!document) {
    return {
      kind: 'failing',
      words: 'The database does not answer',
      detail: 'Nothing can be read or loaded until it does.',
    }
  }
  switch (document.state) {
    case 'ok':
      return { kind: 'ok', words: 'All is well', detail: 'Every conversation that is due is loaded.' }
    case 'behind':
      return { kind: 'behind', words: 'Catching up', detail: 'Something is owed; the next sync loads it.' }
    case 'failing':
      return { kind: 'failing', words: 'Something needs you', detail: 'See below what it is and what to do.' }
  }
}

function verdictPart({ kind, words, detail }: Verdict): Html {
  return markup`<div class="verdict-box ${kind}"><span class="sign" aria-hidden="true"></span><div><h1>${words}</h1><p>${detail}</p></div></div>`
}

/** Without the books, what the scheduler remembers. */
function problemsOf({ document, reason, process }: ServiceStatus): Problem[] {
  if (document) return [...document.problems]
  const unreadable: Problem = {
    severity: 'trouble',
    title: 'The books can’t be read',
    detail: reason,
    hint: null,
    since: null,
  }
  const failed = process.jobs.flatMap(({ name, failure }): Problem[] =>
    failure
      ? [
          {
            severity: 'trouble',
            title: `${name} has failed`,
            detail: failure.message,
            hint: failure.hint,
            since: failure.at,
          },
        ]
      : [],
  )
  return [unreadable, ...failed]
}

function problemList(problems: readonly Problem[], now: Date): Html {
  if (problems.length === 0) return markup``
  return markup`<ul class="problem-list">${problems.map(
    ({ severity, title, detail, hint, since }) => markup`<li class="problem ${severity}">
<h3><span class="unseen">${severity === 'trouble' ? 'Trouble: ' : 'Notice: '}</span>${title}</h3>
${detail ? markup`<p class="detail">${detail}</p>` : ''}
${hint ? markup`<p><b>To do:</b> ${hint}</p>` : ''}
${since ? markup`<p class="quiet">since ${time(since, now)}</p>` : ''}</li>`,
  )}</ul>`
}

function figures(document: StatusDocument, { isLiveOn, at: now }: ServiceStatus): Html {
  const { history, live, rejectedRecords, deliveries } = document
  const figure = (label: string, value: Html, note: Html, isTrouble = false): Html =>
    markup`<div class="figure ${isTrouble ? 'trouble' : ''}"><dt>${label}</dt><dd>${value}</dd><dd class="note">${note}</dd></div>`
  const done = history.days.filter(({ state }) => state === 'loaded').length
  return markup`<dl class="figure-list">
${figure(
  'History is complete until',
  history.coveredUntil
    ? markup`${day(history.coveredUntil)} <small>${instant(history.coveredUntil, history.coveredUntil)}</small>`
    : nothing,
  markup`${span(history.lagSeconds)} ago${history.provisionalUntil ? markup`, today read until ${time(history.provisionalUntil, now)}` : ''}`,
)}
${figure('Days loaded whole', markup`${number(done)}`, history.owed.length === 0 ? markup`nothing is owed` : markup`${number(owedDays(document))} owed`, history.owed.length > 0)}
${liveFigure()}
${figure('Rejected records', markup`${number(rejectedRecords)}`, rejectedRecords === 0 ? markup`every record fitted` : markup`kept in etl.rejected_records`)}
${deliveries.pending > 0 || deliveries.givenUp > 0 ? figure('Messages waiting', markup`${number(deliveries.pending)}`, markup`${number(deliveries.givenUp)} given up today`, deliveries.givenUp > 0) : ''}
</dl>`

  function liveFigure(): Html {
    const label = 'Live picture is'
    if (!isLiveOn) return figure(label, markup`off`, markup`LIVE_SOURCE=off`)
    if (!live?.snapshotAt) return figure(label, nothing, markup`no snapshot yet`, live !== null)
    const took = `${number(live.conversations ?? 0)} open, taken in ${((live.durationMs ?? 0) / 1000).toFixed(1)} s`
    return figure(label, markup`${counting(live.snapshotAt, now)} <small>old</small>`, markup`${took}`, live.isStale)
  }
}

function owedDays({ history }: StatusDocument): number {
  return Math.ceil(history.owed.reduce((sum, { start, end }) => sum + (+end - +start) / 86_400_000, 0))
}

function coverage({ history, windows }: StatusDocument, now: Date): Html {
  const { provisional, unstable, failed } = windows
  const rest = [
    [provisional, 'provisional'],
    [unstable, 'unstable'],
    [failed, 'failed'],
  ] as const
  return markup`${calendar(history.days)}
<p class="quiet">${number(windows.done)} windows done${rest.filter(([count]) => count > 0).map(([count, name]) => `, ${number(count)} ${name}`)}. Owed since ${time(history.firstDay, now)}; the stronger a day’s colour, the more conversations it had.</p>`
}

function scheduleTable(jobs: readonly JobState[], document: StatusDocument | null, now: Date): Html {
  if (jobs.length === 0) return markup`<p>No job is scheduled.</p>`
  return scrolling(
    'Jobs',
    markup`<table>
<thead><tr><th scope="col">Job</th><th scope="col">Now</th><th scope="col" class="right">Next</th><th scope="col" class="right">Last done</th></tr></thead>
<tbody>${jobs.map((job) => {
      return markup`<tr><th scope="row">${job.name}</th><td>${stateOfJob(job)}</td>
<td class="right">${nextOf(job, now)}</td>
<td class="right">${time(lastDone(job.name, document), now)}</td></tr>`
    })}</tbody></table>`,
  )
}

/** Snapshots book themselves with the live tables, all other jobs in the runs. */
function lastDone(job: string, document: StatusDocument | null): Date | null {
  if (job === 'live') return document?.live?.snapshotAt ?? null
  return document?.jobs.find((record) => record.job === job)?.lastSuccessAt ?? null
}

function stateOfJob({ running, failure, overlaps }: JobState): Html {
  const skipped =
    overlaps > 0
      ? markup` <span class="quiet">${number(overlaps)} ${overlaps === 1 ? 'tick' : 'ticks'} skipped</span>`
      : ''
  if (running) return markup`<span class="tag busy">running</span>${skipped}`
  if (failure) return markup`<span class="tag bad">failed</span>${skipped}`
  return markup`<span class="tag">waits</span>${skipped}`
}

function nextOf({ nextRun, retryAt }: JobState, now: Date): Html {
  if (!nextRun) return nothing
  const seconds = (+nextRun - +now) / 1000
  return seconds < 1
    ? markup`now`
    : markup`<span title="${nextRun.toISOString()}">${retryAt ? 'again in' : 'in'} ${span(seconds)}</span>`
}

function budget(stats: ServiceStatus['process']['budget']): Html {
  if (!stats) return markup`<p>None has been sent since the service started.</p>`
  const { sent, live, waiting, pausedForMs, limit } = stats
  const width = (count: number): number => Math.min(100, (100 * count) / limit)
  const rest = [
    live > 0 ? `${number(live)} of them live` : '',
    waiting > 0 ? `${number(waiting)} waiting` : '',
    pausedForMs > 0 ? `Genesys asked for a pause: ${span(pausedForMs / 1000)} left` : '',
  ].filter(Boolean)
  const words = `${number(sent)} of ${number(limit)} a minute`
  return markup`<svg class="meter" viewBox="0 0 100 6" preserveAspectRatio="none" role="img" aria-label="${words}">
<rect class="track" width="100" height="6" /><rect class="used" width="${width(sent)}" height="6" /><rect class="live" width="${width(live)}" height="6" /></svg>
<p><b>${words}</b>${rest.map((text) => markup`<br />${text}`)}</p>`
}

function runsTable(runs: readonly RunSummary[], now: Date): Html {
  if (runs.length === 0) return markup`<p>No job has run yet.</p>`
  return scrolling(
    'Latest runs',
    markup`<table>
<thead><tr><th scope="col">Job</th><th scope="col">Result</th><th scope="col" class="right">Started</th><th scope="col" class="right">Took</th><th scope="col" class="right wide">Read</th><th scope="col" class="right">New</th><th scope="col" class="right">Changed</th><th scope="col" class="right wide">Run</th></tr></thead>
<tbody>${runs.map((run) => {
      const counts = countsOf(run.counts)
      return markup`<tr><th scope="row">${run.job}</th><td>${resultOf(run)}</td>
<td class="right">${time(run.startedAt, now)}</td>
<td class="right">${run.finishedAt ? span((+run.finishedAt - +run.startedAt) / 1000) : counting(run.startedAt, now)}</td>
<td class="right wide">${amount(counts['received'])}</td><td class="right">${amount(counts['inserted'])}</td><td class="right">${amount(counts['changed'])}</td>
<td class="right wide quiet">${run.id}</td></tr>`
    })}</tbody></table>`,
  )
}

function resultOf({ status, errorCode }: RunSummary): Html {
  const tags: Readonly<Record<string, string>> = { failed: 'bad', running: 'busy', interrupted: 'quiet' }
  return markup`<span class="tag ${tags[status] ?? ''}">${status}</span>${status === 'failed' && errorCode ? markup` <code>${errorCode}</code>` : ''}`
}

function countsOf(counts: unknown): Record<string, unknown> {
  return typeof counts === 'object' && counts !== null ? { ...counts } : {}
}

function amount(value: unknown): Html {
  return typeof value === 'number' ? markup`${number(value)}` : nothing
}

function rejectedTable({ rejectedReasons }: StatusDocument, now: Date): Html {
  return scrolling(
    'Rejected records',
    markup`<table><thead><tr><th scope="col">Why</th><th scope="col" class="right">Records</th><th scope="col" class="right">Last</th></tr></thead>
<tbody>${rejectedReasons.map(({ reason, records, lastAt }) => markup`<tr><th scope="row">${reason}</th><td class="right">${number(records)}</td><td class="right">${time(lastAt, now)}</td></tr>`)}</tbody></table>
<p class="quiet">They are in etl.rejected_records, with their raw JSON and the reason.</p>`,
  )
}
