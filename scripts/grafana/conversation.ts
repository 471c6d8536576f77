/** The dashboard “One conversation”. Pure. */
import { grid, table, type Dashboard, type Panel } from './dashboard.ts'
import { SECONDS } from './kpis.ts'
import { conversationVariable, warehouseVariable } from './variables.ts'

const ID = '${conversation:sqlstring}'
/** The start lets Postgres read one month. */
const WHERE = `where conversation_id = ${ID} and conversation_start = reporting.conversation_start(${ID})`
const AT = { unit: 'dateTimeAsIso' }

/** The lines of the head: what it says, and the expression. */
const HEAD = [
  ['Start (UTC)', "to_char(c.conversation_start at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS')"],
  ['End (UTC)', "to_char(c.conversation_end at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS')"],
  ['Final', 'c.is_final'],
  ['Media type', 'c.media_type'],
  ['Direction', 'c.originating_direction'],
  ['First queue', 'c.first_queue_name'],
  ['Last queue', 'c.last_queue_name'],
  ['First agent', 'c.first_user_name'],
  ['Last agent', 'c.last_user_name'],
  ['Answered', 'c.is_answered'],
  ['Abandoned', 'c.is_abandoned'],
  ['Wait, in seconds', 'c.wait_seconds'],
  ['Talk, in seconds', 'c.talk_seconds'],
  ['Hold, in seconds', 'c.hold_seconds'],
  ['After-call work, in seconds', 'c.acw_seconds'],
  ['Handle time, in seconds', 'c.handle_seconds'],
  ['Transfers', 'c.transferred'],
  ['Wrap-up code', 'c.wrap_up_code_name'],
  ['Ended by', 'c.disconnect_type'],
  ['Evaluation', 'c.evaluation_score'],
  ['Survey', 'c.survey_score'],
] as const

function head(): Panel {
  const lines = HEAD.map(([name, expression], index) => `(${index}, '${name}', ${expression}::text)`)
  return grid({
    title: 'Conversation',
    description: 'What is known of the conversation as a whole.',
    source: table(`
select line.name as "What", line.value as "Value"
from (select * from reporting.conversations ${WHERE}) c
cross join lateral (values
  ${lines.join(',\n  ')}) line (place, name, value)
order by line.place`),
  })
}

export const conversation: Dashboard = {
  uid: 'genesys-conversation',
  title: 'Genesys: one conversation',
  description:
    'What happened in one conversation, in order. The range of time does not matter; addresses and notes are shown only to a role that may read them.',
  from: 'now-7d',
  refresh: '',
  variables: [warehouseVariable, conversationVariable],
  rows: [
    {
      height: 16,
      panels: [
        [8, head()],
        [
          16,
          grid(
            {
              title: 'Timeline',
              description:
                'Every event in order: connect, IVR, queue, alert, answer, hold, transfer, wrap-up, end and so on.',
              source: table(`
select at as "At", until as "Until", event as "Event", who as "Who", queue_name as "Queue", detail as "Detail"
from reporting.timeline(${ID})
order by position`),
            },
            { At: AT, Until: AT },
          ),
        ],
      ],
    },
    {
      height: 7,
      panels: [
        [
          24,
          grid(
            {
              title: 'Entries into queues',
              description: 'Each session in a queue, and how it ended.',
              source: table(`
select entered_at as "Entered", left_at as "Left", queue_name as "Queue", media_type as "Media type", wait_seconds as "Wait", outcome as "Outcome",
  answered_by_user_name as "Answered by", over_service_level as "Over the target",
  array_to_string(requested_skills, ', ') as "Skills", requested_language as "Language"
from reporting.queue_entries
${WHERE}
order by entered_at`),
            },
            { Entered: AT, Left: AT, Wait: SECONDS },
          ),
        ],
      ],
    },
    {
      height: 7,
      panels: [
        [
          24,
          grid(
            {
              title: 'Sessions of agents',
              description: 'Each agent who was alerted or took part.',
              source: table(`
select user_name as "Agent", queue_name as "Queue", media_type as "Media type", alerted_at as "Alerted", answered_at as "Answered at",
  ended_at as "Ended", talk_seconds as "Talk", hold_seconds as "Hold", acw_seconds as "After-call work", handle_seconds as "Handle time",
  is_answered as "Connected", transferred as "Transfers", wrap_up_code_name as "Wrap-up code", disconnect_type as "Ended by"
from reporting.agent_sessions
${WHERE}
order by coalesce(alerted_at, answered_at)`),
            },
            {
              Alerted: AT,
              'Answered at': AT,
              Ended: AT,
              Talk: SECONDS,
              Hold: SECONDS,
              'After-call work': SECONDS,
              'Handle time': SECONDS,
            },
          ),
        ],
      ],
    },
    {
      height: 10,
      panels: [
        [
          24,
          grid(
            {
              title: 'Metrics that count',
              description:
                'Each metric with the instant at which Genesys counts it. Metrics with t are in milliseconds.',
              source: table(`
select emit_date as "Counted at", name as "Metric", value as "Value", purpose as "Purpose", media_type as "Media type",
  queue_id as "Queue id", user_id as "User id"
from reporting.metric_events
${WHERE}
order by emit_date, name`),
            },
            { 'Counted at': AT },
          ),
        ],
      ],
    },
  ],
}
