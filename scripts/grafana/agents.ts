/** The dashboard “Agents”. Pure. */
import { chart, grid, series, table, type Dashboard, type Panel } from './dashboard.ts'
import {
  AGENT_PERFORMANCE,
  AGENT_TOTALS,
  AHT,
  AVERAGE_ACW,
  AVERAGE_HOLD,
  AVERAGE_TALK,
  CONVERSATION_COLUMN,
  COUNT,
  SECONDS,
  SHARE,
  TRANSFER_RATE,
} from './kpis.ts'
import {
  agentVariable,
  granularityVariable,
  IN_QUEUES,
  mediaTypeVariable,
  OF_AGENTS,
  OF_MEDIA_TYPES,
  queueVariable,
  warehouseVariable,
} from './variables.ts'

const WHERE = `where ${OF_AGENTS} and ${IN_QUEUES} and ${OF_MEDIA_TYPES}`
const SERIES = { displayName: '${__field.labels.agent}' }

function byAgent(value: string): string {
  return `select interval_start as time, user_name as agent, ${value} as value\nfrom ${AGENT_PERFORMANCE}\n${WHERE}\ngroup by 1, 2\norder by 1, 2`
}

function performance(): Panel {
  return grid(
    {
      title: 'Agents',
      description:
        'The KPIs of the range of time. Offered, abandoned and the service level belong to queues: agents have none.',
      source: table(`
select user_name as "Agent", user_id, max(team_name) as "Team", sum(handled) as "Handled", ${AHT} as "AHT",
  ${AVERAGE_TALK} as "Talk", ${AVERAGE_HOLD} as "Hold",
  ${AVERAGE_ACW} as "After-call work", sum(answered) as "Answered",
  sum(alerts) as "Alerts", sum(not_responding) as "Not answered", reporting.ratio(sum(not_responding), sum(alerts)) as "Share not answered",
  sum(transferred) as "Transferred", ${TRANSFER_RATE} as "Transfer rate", sum(consults) as "Consults"
from ${AGENT_TOTALS}
${WHERE}
group by user_id, user_name
order by sum(handled) desc, user_id`),
    },
    {
      Agent: {
        width: 220,
        link: {
          title: 'Show this agent alone',
          url: '/d/genesys-agents?var-agent=${__data.fields.user_id}&${__url_time_range}',
        },
      },
      user_id: { isHidden: true },
      AHT: SECONDS,
      Talk: SECONDS,
      Hold: SECONDS,
      'After-call work': SECONDS,
      'Share not answered': SHARE,
      'Transfer rate': SHARE,
    },
  )
}

function handleTime(): Panel {
  return chart(
    {
      title: 'What handle time consists of',
      description: 'Sums by interval of all chosen agents. Outbound contacts also have dialing and contacting.',
      source: series(`
select interval_start as time, sum(talk_ms) / 1000.0 as "Talk", sum(hold_ms) / 1000.0 as "Hold", sum(acw_ms) / 1000.0 as "After-call work",
  (sum(dialing_ms) + sum(contacting_ms)) / 1000.0 as "Dialing and contacting"
from ${AGENT_PERFORMANCE}
${WHERE}
group by 1
order by 1`),
    },
    { ...SECONDS, style: 'bars', isStacked: true },
  )
}

function sessions(): Panel {
  return grid(
    {
      title: 'Sessions',
      description: 'The 200 latest sessions of these agents, of the conversations that began in the range of time.',
      source: table(`
select conversation_id as "Conversation", user_name as "Agent", coalesce(queue_name, '(no queue)') as "Queue", media_type as "Media type",
  direction as "Direction", alerted_at as "Alerted", answered_at as "Answered at", ended_at as "Ended", talk_seconds as "Talk",
  hold_seconds as "Hold", acw_seconds as "After-call work", handle_seconds as "Handle time", is_answered as "Connected",
  wrap_up_code_name as "Wrap-up code", disconnect_type as "Ended by"
from reporting.agent_sessions
where $__timeFilter(conversation_start) and ${OF_AGENTS} and ${IN_QUEUES} and ${OF_MEDIA_TYPES}
order by conversation_start desc, conversation_id, alerted_at desc nulls last
limit 200`),
    },
    {
      Conversation: CONVERSATION_COLUMN,
      Alerted: { unit: 'dateTimeAsIso' },
      'Answered at': { unit: 'dateTimeAsIso' },
      Ended: { unit: 'dateTimeAsIso' },
      Talk: SECONDS,
      Hold: SECONDS,
      'After-call work': SECONDS,
      'Handle time': SECONDS,
    },
  )
}

export const agents: Dashboard = {
  uid: 'genesys-agents',
  title: 'Genesys: agents',
  description: 'KPIs by agent, counted as Genesys Cloud counts them, and the sessions behind them.',
  from: 'now-7d',
  refresh: '',
  variables: [warehouseVariable, agentVariable, queueVariable, mediaTypeVariable, granularityVariable],
  rows: [
    { height: 11, panels: [[24, performance()]] },
    {
      height: 9,
      panels: [
        [
          12,
          chart(
            { title: 'Handled', description: 'By agent and interval.', source: series(byAgent('sum(handled)')) },
            { ...COUNT, style: 'bars', isStacked: true, ...SERIES },
          ),
        ],
        [12, handleTime()],
      ],
    },
    {
      height: 9,
      panels: [
        [
          12,
          chart(
            { title: 'Average handle time', description: 'By agent and interval.', source: series(byAgent(AHT)) },
            { ...SECONDS, ...SERIES },
          ),
        ],
        [
          12,
          chart(
            {
              title: 'Alerts that were not answered',
              description: 'By agent and interval (tNotResponding).',
              source: series(byAgent('sum(not_responding)')),
            },
            { ...COUNT, style: 'bars', isStacked: true, ...SERIES },
          ),
        ],
      ],
    },
    { height: 12, panels: [[24, sessions()]] },
  ],
}
