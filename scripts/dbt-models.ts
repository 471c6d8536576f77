/** The models of the dbt package: what they are, what they select from, and their tests. */

export interface DbtModel {
  readonly folder: 'staging' | 'reference' | 'marts'
  /** The table or view, with its schema, from which the columns have their descriptions. */
  readonly from: string
  readonly description: string
  /** Tests of the whole model. */
  readonly tests?: readonly unknown[]
  /** Tests of single columns. */
  readonly columnTests?: Readonly<Record<string, readonly unknown[]>>
}

/** Rows that are newer are not tested: loads go on while dbt runs, so that models differ by what has just come. */
const where = `updated_at < now() - interval '{{ var("genesys_untested_minutes") | int }} minutes'`

function relationship(to: string, field: string, severity: 'error' | 'warn'): object {
  return { relationships: { arguments: { to: `ref('${to}')`, field }, config: { severity, where } } }
}

/** An id that reference data does not know (deleted long ago, of another division) is no error. */
const known = {
  queue: relationship('genesys_queues', 'queue_id', 'warn'),
  user: relationship('genesys_users', 'user_id', 'warn'),
  wrapUpCode: relationship('genesys_wrap_up_codes', 'wrap_up_code_id', 'warn'),
}

/** Of every row of a conversation. */
const ofConversation = {
  conversation_id: ['not_null', relationship('stg_genesys__conversations', 'conversation_id', 'error')],
  conversation_start: ['not_null'],
  updated_at: ['not_null'],
}

function uniqueRows(...columns: readonly string[]): object {
  return { genesys_unique_rows: { arguments: { columns } } }
}

export const dbtModels: Readonly<Record<string, DbtModel>> = {
  stg_genesys__conversations: {
    folder: 'staging',
    from: 'reporting.conversations',
    description:
      'One row per conversation, kept current by updated_at and reporting.deletions. Ids without names, and without what changes while the conversation does not: join the reference models for names, and reporting.conversation_status for is_final.',
    columnTests: {
      conversation_id: ['unique', 'not_null'],
      conversation_start: ['not_null'],
      updated_at: ['not_null'],
      first_queue_id: [known.queue],
      last_user_id: [known.user],
      wrap_up_code_id: [known.wrapUpCode],
    },
  },
  stg_genesys__queue_entries: {
    folder: 'staging',
    from: 'reporting.queue_entries',
    description: 'One row per entry of a conversation into a queue, kept current as the conversations are.',
    tests: [uniqueRows('conversation_id', '_session_index')],
    columnTests: {
      ...ofConversation,
      queue_id: [known.queue],
      outcome: [
        'not_null',
        {
          accepted_values: {
            arguments: { values: ['short_abandoned', 'abandoned', 'flow_out', 'answered', 'waiting', 'other'] },
          },
        },
      ],
    },
  },
  stg_genesys__agent_sessions: {
    folder: 'staging',
    from: 'reporting.agent_sessions',
    description:
      'One row per session of an agent in a conversation, kept current as the conversations are. Without the note of the wrap-up.',
    tests: [uniqueRows('conversation_id', '_session_index')],
    columnTests: { ...ofConversation, queue_id: [known.queue], user_id: [known.user] },
  },
  stg_genesys__wrap_ups: {
    folder: 'staging',
    from: 'reporting.wrap_ups',
    description: 'One row per wrap-up, kept current as the conversations are. Without its note.',
    tests: [uniqueRows('conversation_id', '_index')],
    columnTests: { ...ofConversation, wrap_up_code_id: [known.wrapUpCode] },
  },
  genesys_queues: {
    folder: 'reference',
    from: 'genesys.dim_queues',
    description: 'One row per queue, with its present name.',
    columnTests: { queue_id: ['unique', 'not_null'] },
  },
  genesys_wrap_up_codes: {
    folder: 'reference',
    from: 'genesys.dim_wrap_up_codes',
    description: 'One row per wrap-up code, with its present name.',
    columnTests: { wrap_up_code_id: ['unique', 'not_null'] },
  },
  genesys_queue_days: {
    folder: 'marts',
    from: 'reporting.queue_daily',
    description:
      'One row per day, queue, media type and direction, with KPIs, as in reporting.queue_daily. To group rows sum the counts and milliseconds, and compute the KPI from the sums.',
    tests: [uniqueRows('day', 'queue_id', 'media_type', 'direction')],
  },
  genesys_agent_days: {
    folder: 'marts',
    from: 'reporting.agent_daily',
    description:
      'One row per day, agent, queue, media type and direction, with KPIs, as in reporting.agent_daily. To group rows sum the counts and milliseconds, and compute the KPI from the sums.',
    tests: [uniqueRows('day', 'user_id', 'queue_id', 'media_type', 'direction')],
  },
  genesys_users: {
    folder: 'marts',
    from: 'reporting.agent_daily',
    description: 'One row per agent who has worked, with the present name and team.',
    columnTests: { user_id: ['unique', 'not_null'] },
  },
}
