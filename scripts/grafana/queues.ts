/** The dashboard “Queues”. Pure. */
import { chart, grid, series, table, type Dashboard, type Panel } from './dashboard.ts'
import {
  ABANDON_FORMAT,
  ABANDON_RATE,
  AHT,
  ASA,
  ASA_FORMAT,
  AVERAGE_ACW,
  AVERAGE_HOLD,
  AVERAGE_TALK,
  CONVERSATION_COLUMN,
  COUNT,
  QUEUE_PERFORMANCE,
  QUEUE_TOTALS,
  SECONDS,
  SERVICE_LEVEL,
  SERVICE_LEVEL_FORMAT,
  SHARE,
  TRANSFER_RATE,
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
/** Of the facts: a range of conversation_start lets Postgres skip the other months. */
const BEGAN = `where $__timeFilter(conversation_start) and ${IN_QUEUES} and ${OF_MEDIA_TYPES}`
const BEGAN_TEXT = 'Of the conversations that began in the range of time.'
const QUEUE_NAME = "coalesce(queue_name, '(no queue)')"
const SERIES = { displayName: '${__field.labels.queue}' }

function byQueue(value: string): string {
  return `select interval_start as time, ${QUEUE_NAME} as queue, ${value} as value\nfrom ${QUEUE_PERFORMANCE}\n${WHERE}\ngroup by 1, 2\norder by 1, 2`
}

function performance(): Panel {
  return grid(
    {
      title: 'Queues',
      description:
        'The KPIs of the range of time. Answered can exceed offered, and handled counts every agent who took part.',
      source: table(`
select ${QUEUE_NAME} as "Queue", coalesce(queue_id, 'none') as queue_id, sum(offered) as "Offered", sum(answered) as "Answered",
  sum(abandoned) as "Abandoned", ${ABANDON_RATE} as "Abandon rate",
  ${SERVICE_LEVEL} as "Service level",
  ${ASA} as "ASA", max(wait_ms_max) / 1000.0 as "Longest wait",
  sum(handled) as "Handled", ${AHT} as "AHT",
  ${AVERAGE_TALK} as "Talk", ${AVERAGE_HOLD} as "Hold",
  ${AVERAGE_ACW} as "After-call work", ${TRANSFER_RATE} as "Transfer rate"
from ${QUEUE_TOTALS}
${WHERE}
group by queue_id, queue_name
order by sum(offered) desc, queue_id`),
    },
    {
      Queue: {
        width: 220,
        link: {
          title: 'Show this queue alone',
          url: '/d/genesys-queues?var-queue=${__data.fields.queue_id}&${__url_time_range}',
        },
      },
      queue_id: { isHidden: true },
      'Abandon rate': ABANDON_FORMAT,
      'Service level': SERVICE_LEVEL_FORMAT,
      ASA: ASA_FORMAT,
      'Longest wait': SECONDS,
      AHT: SECONDS,
      Talk: SECONDS,
      Hold: SECONDS,
      'After-call work': SECONDS,
      'Transfer rate': SHARE,
    },
  )
}

function waits(): Panel {
  return chart(
    {
      title: 'Waits: median and 90th percentile',
      description: `How long half and nine tenths of the queue entries waited at most. ${BEGAN_TEXT}`,
      interval: '30m',
      source: series(`
select $__timeGroup(entered_at, $__interval) as time,
  percentile_cont(0.5) within group (order by wait_seconds) as "Median",
  percentile_cont(0.9) within group (order by wait_seconds) as "90th percentile"
from reporting.queue_entries
${BEGAN} and entered_at is not null
group by 1
order by 1`),
    },
    SECONDS,
  )
}

function outcomes(): Panel {
  return chart(
    {
      title: 'Queue entries by outcome',
      description: `answered, abandoned, short_abandoned, flow_out, waiting or other. ${BEGAN_TEXT}`,
      interval: '30m',
      source: series(`
select $__timeGroup(entered_at, $__interval) as time, outcome, count(*) as entries
from reporting.queue_entries
${BEGAN} and entered_at is not null
group by 1, 2
order by 1, 2`),
    },
    { ...COUNT, style: 'bars', isStacked: true, displayName: '${__field.labels.outcome}' },
  )
}

function longWaits(): Panel {
  return grid(
    {
      title: 'Waits over 5 minutes',
      description: `The 200 longest. ${BEGAN_TEXT}`,
      source: table(`
select conversation_id as "Conversation", ${QUEUE_NAME} as "Queue", media_type as "Media type", entered_at as "Entered",
  wait_seconds as "Wait", outcome as "Outcome", answered_by_user_name as "Answered by"
from reporting.long_waits
${BEGAN}
order by wait_seconds desc, conversation_id
limit 200`),
    },
    { Conversation: CONVERSATION_COLUMN, Entered: { unit: 'dateTimeAsIso' }, Wait: SECONDS },
  )
}

function wrapUps(): Panel {
  return grid({
    title: 'Wrap-up codes',
    description: BEGAN_TEXT,
    source: table(`
select ${QUEUE_NAME} as "Queue", wrap_up_code_name as "Wrap-up code", count(*) as "Wrap-ups",
  count(distinct conversation_id) as "Conversations"
from reporting.wrap_ups
${BEGAN}
group by 1, 2
order by 3 desc, 1, 2
limit 200`),
  })
}

export const queues: Dashboard = {
  uid: 'genesys-queues',
  title: 'Genesys: queues',
  description: 'KPIs by queue, counted as Genesys Cloud counts them, and what lies behind them.',
  from: 'now-7d',
  refresh: '',
  variables: [warehouseVariable, queueVariable, mediaTypeVariable, granularityVariable],
  rows: [
    { height: 10, panels: [[24, performance()]] },
    {
      height: 9,
      panels: [
        [
          12,
          chart(
            { title: 'Offered', description: 'By queue and interval.', source: series(byQueue('sum(offered)')) },
            { ...COUNT, style: 'bars', isStacked: true, ...SERIES },
          ),
        ],
        [
          12,
          chart(
            {
              title: 'Service level',
              description: 'By queue and interval; a gap where nothing was answered or abandoned.',
              source: series(byQueue(SERVICE_LEVEL)),
            },
            { ...SERVICE_LEVEL_FORMAT, ...SERIES },
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
              title: 'Average speed of answer',
              description: 'By queue and interval.',
              source: series(byQueue(ASA)),
            },
            { ...SECONDS, ...SERIES },
          ),
        ],
        [
          12,
          chart(
            {
              title: 'Average handle time',
              description: 'By queue and interval.',
              source: series(byQueue(AHT)),
            },
            { ...SECONDS, ...SERIES },
          ),
        ],
      ],
    },
    {
      height: 9,
      panels: [
        [12, waits()],
        [12, outcomes()],
      ],
    },
    {
      height: 10,
      panels: [
        [14, longWaits()],
        [10, wrapUps()],
      ],
    },
  ],
}
