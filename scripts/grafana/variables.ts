/** The variables of the dashboards, and the conditions of SQL that use them. Pure. */

const ALL = { text: ['All'], value: ['$__all'] }

/** Chooses the Postgres data source. */
export const warehouseVariable = {
  name: 'warehouse',
  label: 'Warehouse',
  description: 'The Postgres data source, of a role that reads schema reporting.',
  type: 'datasource',
  query: 'grafana-postgresql-datasource',
  regex: '',
  current: {},
  hide: 0,
}

/** Chooses the Prometheus data source. */
export const prometheusVariable = {
  ...warehouseVariable,
  name: 'prometheus',
  label: 'Prometheus',
  description: 'The Prometheus data source that has the metrics of genesys-etl.',
  query: 'prometheus',
}

/** Stands for null, since a variable cannot be it. */
const NONE = 'none'

interface Choice {
  readonly name: string
  readonly label: string
  readonly description: string
  /** The column that it filters, as an expression that is never null: the condition for “All” compares it with itself. */
  readonly expression: string
  /** Has the columns __text and __value. */
  readonly query: string
}

/** Several values of a column, at first all. “All” is a condition that always holds, not a list of hundreds of ids. */
function choice({ name, label, description, expression, query }: Choice): object {
  return {
    name,
    label,
    description,
    type: 'query',
    datasource: { type: 'grafana-postgresql-datasource', uid: '${warehouse}' },
    query,
    definition: query,
    allValue: expression,
    current: ALL,
    includeAll: true,
    multi: true,
    // read again when the range of time changes
    refresh: 2,
    regex: '',
    sort: 0,
    hide: 0,
  }
}

const queue = `coalesce(queue_id, '${NONE}')`
const mediaType = `coalesce(media_type, '${NONE}')`

/** The condition of the variable `queue`. */
export const IN_QUEUES = `${queue} in (\${queue:sqlstring})`
/** The condition of the variable `media_type`. */
export const OF_MEDIA_TYPES = `${mediaType} in (\${media_type:sqlstring})`
/** The condition of the variable `agent`. */
export const OF_AGENTS = 'user_id in (${agent:sqlstring})'

const DAYS_OF_RANGE = `day between ($__timeFrom()::timestamptz - interval '1 day')::date and ($__timeTo()::timestamptz + interval '1 day')::date`

export const queueVariable = choice({
  name: 'queue',
  label: 'Queue',
  description: 'Queues that had conversations in the range of time.',
  expression: queue,
  query: `select distinct coalesce(queue_name, '(no queue)') as __text, ${queue} as __value
from reporting.queue_daily
where ${DAYS_OF_RANGE}
order by 1`,
})

export const mediaTypeVariable = choice({
  name: 'media_type',
  label: 'Media type',
  description: 'voice, message, email, callback, …',
  expression: mediaType,
  query: `select distinct ${mediaType} as __text, ${mediaType} as __value
from reporting.queue_daily
where ${DAYS_OF_RANGE}
order by 1`,
})

export const agentVariable = choice({
  name: 'agent',
  label: 'Agent',
  description: 'Agents who had conversations in the range of time.',
  expression: 'user_id',
  query: `select distinct user_name as __text, user_id as __value
from reporting.agent_daily
where ${DAYS_OF_RANGE}
order by 1`,
})

const GRANULARITIES = ['15 minutes', '30 minutes', '1 hour', '1 day', '1 week', '1 month']

/** The length of the intervals of the charts: what the functions of schema reporting accept. */
export const granularityVariable = {
  name: 'granularity',
  label: 'Interval',
  description: 'Length of the intervals of the charts. Days, weeks and months are those of reporting.settings.',
  type: 'custom',
  query: GRANULARITIES.join(','),
  options: GRANULARITIES.map((value) => ({ text: value, value, selected: value === '1 hour' })),
  current: { text: '1 hour', value: '1 hour' },
  includeAll: false,
  multi: false,
  hide: 0,
}

/** The id of one conversation. */
export const conversationVariable = {
  name: 'conversation',
  label: 'Conversation',
  description: 'The id of the conversation, as Genesys has it.',
  type: 'textbox',
  query: '',
  options: [],
  current: { text: '', value: '' },
  hide: 0,
}
