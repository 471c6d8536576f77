/** `/`: problems and what to do first, then coverage and volume, jobs and runs. Data in, HTML out. */
import { type JobState } from '../../schedule.ts'
import { type Problem } from '../../monitoring/problems.ts'
import { type RunSummary } from '../../monitoring/records.ts'
import { type StatusDocument } from '../../monitoring/status.ts'
import { type ServiceStatus } from '../service-status.ts'
import { calendar } from './calendar-view.ts'
import { volumeChart } from './chart.ts'
import { counting, day, instant, markup, nothing, number, plural, shortSpan, span, time, type Html } from './format.ts'
import { mainOf, part, plainPart, table, type Column, type View } from './layout.ts'

/** The status page. Without a document it says why, and shows what the process itself knows. */
export function statusPage(status: ServiceStatus): View {
  const { at: now, document, process } = status
  const problems = problemsOf(status)
  const headline = headlineOf(status, problems)
  const title = `${headline.words} · genesys-etl`
  const parts = [
    plainPart('verdict', 'State', headlineBox(headline)),
    plainPart('problems', 'Problems and what to do', problemList(problems, now)),
    ...(document ? coverageParts(document, status) : []),
    part('schedule', 'Jobs', jobTable(process.jobs, document, now)),
    part('budget', 'Requests to Genesys', budget(process.budget)),
    ...(document ? [part('runs', 'Latest runs', runTable(document.runs, now))] : []),
    ...(document && document.rejectedRecords > 0
      ? [part('rejected', 'Rejected records', rejectedTable(document, now))]
      : []),
  ]
  return {
    title,
    current: '/',
    isComplete: document !== null,
    main: mainOf({
      title,
      now,
      className: 'status',
      announcement: [headline.words, ...problems.map((problem) => problem.title)].join('. '),
      parts,
    }),
  }
}

function coverageParts(document: StatusDocument, status: ServiceStatus): Html[] {
  const { history } = document
  return [
    plainPart('figures', 'Figures', figures(document, status)),
    part('coverage', 'Coverage by day', coverage(document, status.at)),
    part('volume', 'Conversations per day', volumeChart(history.days)),
  ]
}

interface Headline {
  readonly kind: 'ok' | 'behind' | 'failing'
  readonly words: string
  readonly detail: string
}

function headlineOf({ document }: ServiceStatus, problems: readonly Problem[]): Headline {
  if (!document) {
    return {
      kind: 'failing',
      words: 'The database does not answer',
      detail: 'Nothing can be read or loaded until it does.',
    }
  }
  const state = problems.some(({ severity }) => severity === 'trouble') ? 'failing' : document.state
  switch (state) {
    case 'ok':
      return problems.length === 0
        ? { kind: 'ok', words: 'All is well', detail: 'Every conversation that is due is loaded.' }
        : {
            kind: 'ok',
            words: 'Up to date',
            detail: `Every day that is due is loaded. ${plural(problems.length, 'notice')} below.`,
          }
    case 'behind':
      return { kind: 'behind', words: 'Catching up', detail: 'Some days are due; the next sync loads them.' }
    case 'failing':
      return { kind: 'failing', words: 'Action required', detail: 'See below what is wrong and what to do.' }
  }
}

function headlineBox({ kind, words, detail }: Headline): Html {
  return markup`<div class="verdict-box ${kind}"><span class="sign" aria-hidden="true"></span>
<div><h1>${words}</h1><p>${detail}</p></div></div>`
}

/** The problems of the document and stuck jobs; without a document, what the scheduler knows. */
function problemsOf({ document, reason, process }: ServiceStatus): Problem[] {
  const stuck = process.jobs.flatMap(stuckProblem)
  if (document) return [...stuck, ...document.problems]
  const unreadable: Problem = {
    severity: 'trouble',
    title: 'Run history is unavailable',
    detail: reason,
    hint: null,
    since: null,
  }
  return [unreadable, ...stuck, ...process.jobs.flatMap(failedProblem)]
}

function stuckProblem({ name, stuckSince }: JobState): Problem[] {
  if (!stuckSince) return []
  const hint = 'Restart the service; the ledger resumes what is due.'
  return [{ severity: 'trouble', title: `${name} shows no progress`, detail: null, hint, since: stuckSince }]
}

function failedProblem({ name, failure }: JobState): Problem[] {
  if (!failure) return []
  const { message: detail, hint, at: since } = failure
  return [{ severity: 'trouble', title: `${name} has failed`, detail, hint, since }]
}

function problemList(problems: readonly Problem[], now: Date): Html {
  if (problems.length === 0) return markup``
  const item = ({ severity, title, detail, hint, since }: Problem): Html => markup`<li class="problem ${severity}">
<h3><span class="unseen">${severity === 'trouble' ? 'Action required: ' : 'Notice: '}</span>${title}</h3>
${detail ? markup`<p class="detail">${detail}</p>` : ''}
${hint ? markup`<p>${severity === 'trouble' ? markup`<b>To do:</b> ` : ''}${hint}</p>` : ''}
${since ? markup`<p class="quiet">since ${time(since, now)}</p>` : ''}</li>`
  return markup`<ul class="problem-list">${problems.map(item)}</ul>`
}

function figure(label: string, value: Html | string, note: Html | string, isTrouble = false): Html {
  return markup`<div class="figure ${isTrouble ? 'trouble' : ''}"><dt>${label}</dt>
<dd>${value}</dd><dd class="note">${note}</dd></div>`
}

function figures(document: StatusDocument, { isLiveOn, at: now }: ServiceStatus): Html {
  const { rejectedRecords, deliveries, reporting, reconciliation } = document
  return markup`<dl class="figure-list">
${completeUntilFigure(document, now)}
${loadedDaysFigure(document)}
${document.history.activity ? activityFigure(document.history.activity) : ''}
${liveFigure(document, isLiveOn, now)}
${figure('Rejected records', number(rejectedRecords), rejectedRecords === 0 ? 'none' : 'kept in etl.rejected_records')}
${reconciliation.newestDay ? reconciliationFigure(reconciliation, reconciliation.newestDay) : ''}
${reporting.isFilled && !reporting.staleConversations ? '' : reportingFigure(reporting)}
${deliveries.pending > 0 || deliveries.givenUp > 0 ? deliveryFigure(deliveries) : ''}
</dl>`
}

function completeUntilFigure({ history }: StatusDocument, now: Date): Html {
  const { coveredUntil, lagSeconds, provisionalUntil } = history
  const value = coveredUntil
    ? markup`${day(coveredUntil)} <small>${instant(coveredUntil, coveredUntil)}</small>`
    : nothing
  const today = provisionalUntil ? markup`, today read until ${time(provisionalUntil, now)}` : ''
  return figure('History complete until', value, markup`${span(lagSeconds)} ago${today}`)
}

function loadedDaysFigure({ history }: StatusDocument): Html {
  const loaded = history.days.filter(({ state }) => state === 'loaded' || state === 'due').length
  const missing = Math.ceil(history.owed.reduce((sum, { start, end }) => sum + (+end - +start) / 86_400_000, 0))
  const note = missing === 0 ? 'none missing' : `${number(missing)} not loaded yet`
  return figure('Days loaded', number(loaded), note, missing > 0)
}

function activityFigure({ readUntil, waiting }: NonNullable<StatusDocument['history']['activity']>): Html {
  const days = waiting.reduce((sum, { start, end }) => sum + (+end - +start) / 86_400_000, 0)
  return figure('Activity read until', day(readUntil), days === 0 ? 'no day waiting' : `${plural(days, 'day')} waiting`)
}

function liveFigure({ live }: StatusDocument, isLiveOn: boolean, now: Date): Html {
  const label = 'Age of live data'
  if (!isLiveOn) return figure(label, 'off', 'LIVE_SOURCE=off')
  if (!live?.snapshotAt) return figure(label, nothing, 'no snapshot yet', live !== null)
  const seconds = ((live.durationMs ?? 0) / 1000).toFixed(1)
  const note = `${plural(live.conversations ?? 0, 'open conversation')}, read in ${seconds} s`
  return figure(label, counting(live.snapshotAt, now), note, live.isStale)
}

function reportingFigure({
  isFilled,
  filledBackTo,
  filledShare,
  staleConversations,
}: StatusDocument['reporting']): Html {
  const value = isFilled ? 'complete' : `${Math.floor(100 * filledShare)} %`
  const back = isFilled
    ? ''
    : filledBackTo
      ? `filled back to ${filledBackTo.toISOString().slice(0, 10)}`
      : 'not filled yet'
  const stale = staleConversations ? `${plural(staleConversations, 'conversation')} to derive again` : ''
  return figure('Reporting rows', value, [back, stale].filter(Boolean).join(', '))
}

function reconciliationFigure(
  { differences, expected, days }: StatusDocument['reconciliation'],
  newestDay: Date,
): Html {
  const known = expected > 0 ? markup`, ${number(expected)} expected` : ''
  const note = markup`${plural(days, 'day')} until ${day(newestDay)} compared${known}`
  return figure('Differences from Genesys', number(differences), note, differences > 0)
}

function deliveryFigure({ pending, givenUp }: StatusDocument['deliveries']): Html {
  return figure('Webhook messages pending', number(pending), `${number(givenUp)} abandoned today`, givenUp > 0)
}

function coverage({ history, windows, retention }: StatusDocument, now: Date): Html {
  const { provisional, unstable, failed } = windows
  const others = [
    [provisional, 'provisional'],
    [unstable, 'unstable'],
    [failed, 'failed'],
  ] as const
  const counts = others.filter(([count]) => count > 0).map(([count, name]) => `, ${number(count)} ${name}`)
  return markup`${calendar(history.days)}
<p class="quiet">${plural(windows.done, 'window')} done${counts.join('')}. Due from
${time(history.firstDay, now)} on.${retentionNote(retention)} The stronger its color, the more conversations a day has.</p>`
}

function retentionNote({ months, floor, dropped }: StatusDocument['retention']): Html {
  if (months === null && dropped === 0) return markup``
  const kept =
    months === null || floor === null
      ? ''
      : ` Kept: ${plural(months, 'month')}, since ${floor.toISOString().slice(0, 7)}.`
  return markup`${kept} ${plural(dropped, 'month')} dropped.`
}

const JOB_COLUMNS: readonly Column[] = [
  { heading: 'Job' },
  { heading: 'State' },
  { heading: 'Next', className: 'right' },
  { heading: 'Succeeded', className: 'right' },
]

function jobTable(jobs: readonly JobState[], document: StatusDocument | null, now: Date): Html {
  if (jobs.length === 0) return markup`<p>No job is scheduled.</p>`
  const row = (
    job: JobState,
  ): Html => markup`<tr><th scope="row">${job.name}${skippedTicks(job)}</th><td>${jobState(job)}</td>
<td class="right">${nextRun(job, now)}</td>
<td class="right">${ago(lastSuccess(job.name, document), now)}</td></tr>`
  return table('Jobs', JOB_COLUMNS, jobs.map(row))
}

/** Snapshots are recorded in genesys.live_snapshots, runs of all other jobs in etl.runs. */
function lastSuccess(job: string, document: StatusDocument | null): Date | null {
  if (job === 'live') return document?.live?.snapshotAt ?? null
  return document?.jobs.find((record) => record.job === job)?.lastSuccessAt ?? null
}

function jobState({ running, failure, stuckSince }: JobState): Html {
  if (stuckSince) return markup`<span class="tag bad">stuck</span>`
  if (running) return markup`<span class="tag busy">running</span>`
  return failure ? markup`<span class="tag bad">failed</span>` : markup`<span class="tag">idle</span>`
}

function skippedTicks({ overlaps }: JobState): Html {
  if (overlaps === 0) return markup``
  return markup` <span class="quiet detail-line">${plural(overlaps, 'tick')} skipped</span>`
}

function nextRun({ nextRun: next, retryAt }: JobState, now: Date): Html {
  if (!next) return nothing
  const seconds = (+next - +now) / 1000
  if (seconds < 1) return markup`now`
  return markup`<span title="${next.toISOString()}">${retryAt ? 'retry in' : 'in'} ${shortSpan(seconds)}</span>`
}

function ago(at: Date | null, now: Date): Html {
  if (!at) return nothing
  const iso = at.toISOString()
  return markup`<time datetime="${iso}" title="${iso}">${shortSpan((+now - +at) / 1000)} ago</time>`
}

function budget(stats: ServiceStatus['process']['budget']): Html {
  if (!stats) return markup`<p>None since the service started.</p>`
  const { sent, live, waiting, pausedForMs, limit } = stats
  const width = (count: number): number => Math.min(100, (100 * count) / limit)
  const details = [
    live > 0 ? `${number(live)} of them live` : '',
    waiting > 0 ? `${number(waiting)} waiting` : '',
    pausedForMs > 0 ? `Genesys asked for a pause: ${span(pausedForMs / 1000)} left` : '',
  ].filter(Boolean)
  const words = `${number(sent)} of ${number(limit)} per minute`
  return markup`<svg class="meter" viewBox="0 0 100 6" preserveAspectRatio="none" role="img" aria-label="${words}">
<rect class="track" width="100" height="6" /><rect class="used" width="${width(sent)}" height="6" />
<rect class="live" width="${width(live)}" height="6" /></svg>
<p><b>${words}</b>${details.map((text) => markup`<br />${text}`)}</p>`
}

const RUN_COLUMNS: readonly Column[] = [
  { heading: 'Job' },
  { heading: 'Result' },
  { heading: 'Started', className: 'right' },
  { heading: 'Took', className: 'right wide' },
  { heading: 'Read', className: 'right wide' },
  { heading: 'New', className: 'right' },
  { heading: 'Changed', className: 'right wide' },
  { heading: 'Run', className: 'right wide' },
]

function runTable(runs: readonly RunSummary[], now: Date): Html {
  if (runs.length === 0) return markup`<p>No job has run yet.</p>`
  return table(
    'Latest runs',
    RUN_COLUMNS,
    runs.map((run) => runRow(run, now)),
  )
}

function runRow(run: RunSummary, now: Date): Html {
  const { received, inserted, changed } = run.counts ?? {}
  const duration = run.finishedAt ? span((+run.finishedAt - +run.startedAt) / 1000) : counting(run.startedAt, now)
  return markup`<tr><th scope="row">${run.job}</th><td>${runResult(run)}</td>
<td class="right">${time(run.startedAt, now)}</td>
<td class="right wide">${duration}</td>
<td class="right wide">${amount(received)}</td>
<td class="right">${amount(inserted)}</td>
<td class="right wide">${amount(changed)}</td>
<td class="right wide quiet">${run.id}</td></tr>`
}

function runResult({ status, errorCode }: RunSummary): Html {
  const tags: Readonly<Record<string, string>> = { failed: 'bad', running: 'busy', interrupted: 'quiet' }
  const code = status === 'failed' && errorCode ? markup` <code>${errorCode}</code>` : ''
  return markup`<span class="tag ${tags[status] ?? ''}">${status}</span>${code}`
}

function amount(value: unknown): Html {
  return typeof value === 'number' ? markup`${number(value)}` : nothing
}

const REJECTED_COLUMNS: readonly Column[] = [
  { heading: 'Reason' },
  { heading: 'Records', className: 'right' },
  { heading: 'Last', className: 'right' },
]

function rejectedTable({ rejectedReasons }: StatusDocument, now: Date): Html {
  const rows = rejectedReasons.map(
    ({ reason, records, lastAt }) => markup`<tr><th scope="row">${reason}</th>
<td class="right">${number(records)}</td><td class="right">${time(lastAt, now)}</td></tr>`,
  )
  return markup`${table('Rejected records', REJECTED_COLUMNS, rows)}
<p class="quiet">etl.rejected_records keeps each record with its raw JSON and the reason.</p>`
}
