/** The dashboard “Overview”. Pure. */
import { chart, grid, series, stat, table, type Dashboard, type Format, type Panel } from './dashboard.ts'
import {
  ABANDON_FORMAT,
  ABANDON_RATE,
  AHT,
  ASA,
  ASA_FORMAT,
  COUNT,
  QUEUE_PERFORMANCE,
  QUEUE_TOTALS,
  SECONDS,
  SERVICE_LEVEL,
  SERVICE_LEVEL_FORMAT,
} from './kpis.ts'
import {
  granularityVariable,
  IN_QUEUES,
  mediaTypeVariable,
  OF_MEDIA_TYPES,
  queueVariable,
  warehouseVariable,
} from './variables.ts'

const WHERE = `where ${IN_QUEUES} and ${OF_MEDIA_TYPES}`

function total(title: string, description: string, expression: string, format: Format): Panel {
  const source = table(`select ${expression} as "${title}"\nfrom ${QUEUE_TOTALS}\n${WHERE}`)
  return stat({ title, description, source }, format)
}

/** An instant of the range of time, a week before in the time zone of the settings: the same time of the day, too. */
function weekBefore(macro: string): string {
  return `(${macro}::timestamptz at time zone s.time_zone - interval '7 days') at time zone s.time_zone`
}

const offeredBefore = `
select (p.interval_start at time zone s.time_zone + interval '7 days') at time zone s.time_zone as time,
  sum(p.offered) as "Offered a week before"
from reporting.settings s
cross join reporting.queue_performance(${weekBefore('$__timeFrom()')}, ${weekBefore('$__timeTo()')}, \${granularity:sqlstring}) p
${WHERE}
group by 1
order by 1`

function byInterval(columns: string): string {
  return `select interval_start as time, ${columns}\nfrom ${QUEUE_PERFORMANCE}\n${WHERE}\ngroup by 1\norder by 1`
}

export const overview: Dashboard = {
  uid: 'genesys-overview',
  title: 'Genesys: overview',
  description: 'How the contact centre does: the KPIs of all queues, counted as Genesys Cloud counts them.',
  from: 'now/d',
  refresh: '1m',
  variables: [warehouseVariable, queueVariable, mediaTypeVariable, granularityVariable],
  rows: [
    {
      height: 4,
      panels: [
        [4, total('Offered', 'Entries into queues (nOffered).', 'sum(offered)', COUNT)],
        [4, total('Answered', 'Answered by the first agent of a queue entry (tAnswered).', 'sum(answered)', COUNT)],
        [4, total('Abandoned', 'Share of the offered that hung up in the queue.', ABANDON_RATE, ABANDON_FORMAT)],
        [
          4,
          total(
            'Service level',
            'Share of the answered within the target of their queue; what is in the denominator is set in reporting.settings.',
            SERVICE_LEVEL,
            SERVICE_LEVEL_FORMAT,
          ),
        ],
        [4, total('Average speed of answer', 'How long the answered had waited.', ASA, ASA_FORMAT)],
        [4, total('Average handle time', 'Talk, hold and after-call work of each agent who took part.', AHT, SECONDS)],
      ],
    },
    {
      height: 9,
      panels: [
        [
          12,
          chart(
            {
              title: 'Offered, answered and abandoned',
              description:
                'By interval. Answered can exceed offered: who was offered before the interval can be answered within it.',
              source: series(
                byInterval('sum(offered) as "Offered", sum(answered) as "Answered", sum(abandoned) as "Abandoned"'),
              ),
            },
            { ...COUNT, style: 'bars' },
          ),
        ],
        [
          12,
          chart(
            {
              title: 'Service level by interval',
              description: 'A gap where nothing was answered or abandoned.',
              source: series(byInterval(`${SERVICE_LEVEL} as "Service level"`)),
            },
            SERVICE_LEVEL_FORMAT,
          ),
        ],
      ],
    },
    {
      height: 9,
      panels: [
        [
          12,
          chart(
            {
              title: 'Offered a week before',
              description: 'The same weekdays and times of the week before, in the time zone of reporting.settings.',
              source: series(offeredBefore),
            },
            { ...COUNT, style: 'bars' },
          ),
        ],
        [
          12,
          chart(
            {
              title: 'Answer and handle times',
              description: 'Average speed of answer (ASA) and average handle time (AHT) by interval.',
              source: series(byInterval(`${ASA} as "ASA", ${AHT} as "AHT"`)),
            },
            SECONDS,
          ),
        ],
      ],
    },
    {
      height: 9,
      panels: [
        [
          12,
          chart(
            {
              title: 'Offered by media type',
              description: 'By interval.',
              source: series(
                `select interval_start as time, coalesce(media_type, 'none') as media_type, sum(offered) as offered\nfrom ${QUEUE_PERFORMANCE}\n${WHERE}\ngroup by 1, 2\norder by 1, 2`,
              ),
            },
            { ...COUNT, style: 'bars', isStacked: true, displayName: '${__field.labels.media_type}' },
          ),
        ],
        [12, freshness()],
      ],
    },
  ],
}

function freshness(): Panel {
  return grid(
    {
      title: 'How complete these days are',
      description:
        'UTC days of conversation starts. Settled: no number of the day is expected to change any more. Left out: conversations that the settings of the history filter. Differences: figures that differ from those of Genesys for no expected cause.',
      source: table(`
select to_char(day, 'YYYY-MM-DD') as "Day", status as "Status", conversations as "Conversations", emitted_settled as "Settled",
  filtered as "Left out", differences as "Differences", loaded_at as "Loaded at"
from reporting.freshness
where day between $__timeFrom()::timestamptz::date and $__timeTo()::timestamptz::date
order by day desc, filter::text`),
    },
    { 'Loaded at': { unit: 'dateTimeAsIso' } },
  )
}
