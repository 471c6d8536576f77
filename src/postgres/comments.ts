import { measures, type Measure } from '../intervals/measures.ts'
import { columnsOf, tables } from '../model/columns.ts'
import { model } from '../model/model.ts'
import { referenceColumnsOf, referenceEntity, referenceNames, referenceTable } from '../model/reference.ts'
import { type DeletionReason, type RunStatus, type RunTrigger, type WindowStatus } from './database.ts'

const RUN_STATUSES = {
  running: 'running',
  done: 'done',
  failed: 'failed',
  interrupted: 'interrupted (stopped by a signal, or its process was killed)',
} satisfies Record<RunStatus, string>

const RUN_TRIGGERS = {
  cron: 'cron (the schedule)',
  manual: 'manual (a command)',
  demo: 'demo',
  load: 'load (a load met an id without a name)',
} satisfies Record<RunTrigger, string>

const WINDOW_STATUSES = {
  done: 'done',
  provisional: 'provisional (the window includes part of the day on which it was read)',
  unstable: 'unstable (loaded, but not known to be complete)',
  failed: 'failed',
} satisfies Record<WindowStatus, string>

const DELETION_REASONS = {
  missing:
    'missing (Genesys has it no more; its rows stay in schema genesys, with _missing_since, and count in no report)',
  moved: 'moved (Genesys has corrected its start; it stands under the new one)',
  erased: 'erased (on request; it is not loaded again)',
} satisfies Record<DeletionReason, string>

const listed = (values: Readonly<Record<string, string>>): string => `${Object.values(values).join(', ')}.`

const measured = ({ metric, aggregate }: Measure): string =>
  ({
    total: `Sum of the values of ${metric}; null: 0.`,
    events: `Number of rows of ${metric}; null: 0.`,
    max: `Largest value of ${metric}; null: there is none.`,
  })[aggregate]

const measureColumns = Object.fromEntries(measures.map((measure) => [measure.column, measured(measure)]))
const INTERVAL_KEYS = { interval_start: 'Start of the quarter hour (UTC).' }
const DAY_KEYS = { time_zone: 'The time zone that the day is one of.', day: 'The day.' }
const ROLLUP_KEYS = {
  key: 'Hash of the columns that the row stands for, since they can be null.',
  queue_id: 'The queue; null: none.',
  user_id: 'The user.',
  media_type: 'Media type of the sessions.',
  direction: 'Direction of the sessions.',
  originating_direction: 'Direction in which the conversations began.',
  updated_at: 'When a number of the row last changed.',
}

const CONVERSATION_KEYS = {
  conversation_id: 'The conversation.',
  conversation_start: 'Copy of its start: the table is partitioned by its month.',
}

/** Of facts, which tell no metric from one of 0. */
function totalColumns(...names: readonly string[]): Record<string, string> {
  const described = names.map((name) => [name, measureColumns[name]!.replace('null: 0.', 'null: there is none.')])
  return Object.fromEntries(described) as Record<string, string>
}

function omit(columns: Readonly<Record<string, string>>, ...names: readonly string[]): Record<string, string> {
  return Object.fromEntries(Object.entries(columns).filter(([name]) => !names.includes(name)))
}

/** Descriptions of every table of schema etl and its columns: the source of their COMMENT ON and of the data dictionary. */
export const etlDescriptions: Readonly<
  Record<string, { description: string; columns: Readonly<Record<string, string>> }>
> = {
  runs: {
    description: 'One row per job run.',
    columns: {
      id: 'Number of the run.',
      job: 'The job: sync, backfill, …',
      trigger: `What started it: ${listed(RUN_TRIGGERS)}`,
      started_at: 'Start, by the clock of the database.',
      finished_at: 'End; null while it runs.',
      cycle_started_at:
        'Start of the first of the unfinished runs that this one resumes, or its own start: windows read since then are not read again.',
      status: listed(RUN_STATUSES),
      parameters: 'What it was asked to do.',
      plan: 'Windows, requests and duration that were expected at its start.',
      counts:
        'What it did: conversations and rows by outcome, requests; of a sync also what each part has read beside the windows (parts).',
      error_code: 'Stable code of the error that ended it.',
      error: 'What happened.',
      hint: 'What to do.',
      host: 'Host and process that ran it.',
      version: 'Version of genesys-etl that ran it; null for runs before versions were recorded.',
      error_kind:
        'retryable (a later run may succeed without any action), fatal or config (somebody has to act); null: no error, a bug, or a run before kinds were recorded.',
    },
  },
  windows: {
    description: 'The ledger: what has been read from Genesys, window by window. Coverage is a query on this table.',
    columns: {
      id: 'Number of the row.',
      stream:
        'What is read: conversations (those that started in the window), activity (those that lived in it, read by jobs for what changes late), threads (e-mail and message conversations that are read again where jobs are not permitted).',
      source: 'How it was last read: query, jobs.',
      filter: 'The filters that applied; {} without any. Each combination of filters has its own coverage.',
      start: 'First instant of the window.',
      end: 'First instant after the window.',
      status: listed(WINDOW_STATUSES),
      attempts: 'Reads since the window was last done.',
      hits: 'Conversations that Genesys reported for the window.',
      counts: 'Conversations by outcome, requests.',
      read_at: 'The data is current as of this time, by the clock of the database.',
      recorded_at: 'When this row was last written.',
      next_attempt_at: 'Earliest time of the next attempt.',
      error_code: 'Stable code of the error of the last attempt, or of the reason why the window is unstable.',
      error: 'What happened at the last attempt, or why the window is unstable.',
      run_id: 'The run of the last attempt: etl.runs.id.',
    },
  },
  conversations: {
    description: 'One row per conversation: which version of it is stored, and as of when.',
    columns: {
      conversation_id: 'The conversation.',
      conversation_start: 'The start under which its rows are stored.',
      content_hash: 'Hash of its content without participant attributes. The same in every version of genesys-etl.',
      attributes_hash:
        'Hash of its participant attributes; null when no source has delivered any, empty when a source that delivers them found none.',
      fetched_at: 'The stored content is current as of this time. Older answers are not loaded over it.',
      confirmed_at: 'When it was last loaded or found unchanged.',
      previous_start: 'Start before the last load, from which the loader knows which rows to replace.',
      previous_content_hash: 'Content hash before the last load.',
      previous_attributes_hash: 'Attributes hash before the last load.',
      derived_hash:
        'The content hash that its derived rows (interval_cells, conversation_facts, queue_entries, agent_sessions) come from. Null: none; another than content_hash: they are out of date.',
      derived_version: 'Version of the rules by which they were derived.',
      attributes_fetched_at:
        'The stored participant attributes are current as of this time, which is that of a job and may be before fetched_at. Null: no source has delivered any, or a release before this column has.',
    },
  },
  details_jobs: {
    description:
      'Details jobs that Genesys has for us: a row is written when a job was submitted, and deleted when Genesys has deleted the job.',
    columns: {
      job_id: 'The id that Genesys gave it.',
      stream:
        'What it reads, as in etl.windows: conversations (what started in the window), activity (what lived in it).',
      filter: 'The filters that apply, as in etl.windows.',
      start: 'First instant of the window that it reads.',
      end: 'First instant after the window.',
      submitted_at: 'When it was submitted, by the clock of the database.',
      available_until:
        'Up to when the data that jobs read was complete before it was submitted, by the clock of Genesys.',
      run_id: 'The run that submitted it: etl.runs.id.',
    },
  },
  unsettled: {
    description:
      'The conversations that are not final: not ended, or not known to be unchanged settle_days after their end (reporting.settings). Without those that Genesys has no more. Written in the transaction of each load.',
    columns: {
      conversation_id: 'The conversation.',
      conversation_start: 'Its start.',
      ended_at: 'Its end; null: it is open.',
      reread_at: 'When it was last read by its id; null: not since it is here.',
    },
  },
  settling: {
    description:
      'One row: how far unsettled has been filled with what was stored before, or under other settings, by the newest first. Loads keep it meanwhile.',
    columns: {
      id: 'Always true: there is one row.',
      settle_days: 'The setting by which it is filled; another than that of reporting.settings: it is filled again.',
      position_start: 'Every conversation that started later has been examined; null: all have.',
      position_id: 'Of those that started at that instant, the last that has been examined.',
      updated_at: 'When this row was last written.',
    },
  },
  deletions: {
    description: 'What has left the tables, or counts in the reports no more, for those who copy them.',
    columns: {
      id: 'Number of the row.',
      conversation_id: 'The conversation.',
      conversation_start: 'The start under which it stood.',
      at: 'When it left. What is there of it now was written at this time or later: _loaded_at.',
      reason: `Why: ${listed(DELETION_REASONS)}`,
    },
  },
  erasures: {
    description: 'The erasures of personal data: who asked for them, when and by what, without any of what was erased.',
    columns: {
      id: 'Number of the erasure.',
      started_at: 'When it began. From then on nothing of it is loaded again.',
      finished_at: 'When the last trace was gone; null: it was interrupted, and the next erasure or sync completes it.',
      database_user: 'The database user that asked for it.',
      os_user: 'The user of the operating system that asked for it, if it is known.',
      key_kind: 'By what: conversation_id, external_contact_id, address or gdpr_request (a request to Genesys).',
      keys: 'By how many of them. They themselves are not recorded.',
      keep_statistics: 'True: what the conversations add to the intervals stayed, without conversation and user.',
      request_id: 'The id of the request to Genesys; null: it was asked for here.',
      conversations: 'Conversations that it selected, those that were not stored included.',
      rejected_records: 'Rejected records that it deleted.',
      deleted: 'Rows that it deleted, by table.',
    },
  },
  tombstones: {
    description: 'Conversations that were erased on request. No load, replay, job or snapshot brings them back.',
    columns: {
      conversation_id: 'The conversation.',
      erased_at: 'When it was erased.',
      erasure_id: 'By which erasure: etl.erasures.id.',
      pending: 'True: rows of it may still be there, until the erasure is complete.',
    },
  },
  dropped_months: {
    description:
      'Months of the history that were dropped, since they are older than HISTORY_RETENTION_MONTHS, and older ones that were brought in on purpose. Queue intervals and daily rows of dropped months stay.',
    columns: {
      month: 'First day of the UTC month in which the conversations started.',
      started_at:
        'When it was last begun to drop it. From then on nothing of it is stored. Null: it was never dropped, but brought in.',
      frozen_at: 'Since when its numbers stay as they are, whatever is loaded. Null: they do not.',
      agents_until: 'Up to when the rows of agents by interval were dropped; null: none were.',
      finished_at: 'When everything of it was gone; null: it was interrupted, and the next sync completes it.',
      conversations: 'Conversations that were dropped.',
      restored_at: 'When it was brought back by backfill --reload; null: it is dropped.',
      kept_until: 'Until when a month that was brought back stays at least.',
    },
  },
  erased_records: {
    description:
      'Rejected records without the id of a conversation that were erased on request, by the hash of their content.',
    columns: {
      raw_hash: 'Hash of the record, as in etl.rejected_records.',
      erasure_id: 'By which erasure: etl.erasures.id.',
    },
  },
  interval_cells: {
    description:
      'What each conversation adds to each quarter hour: one row per conversation, interval, queue, user, media type and direction, written in the transaction that writes the conversation. Summed up by the interval views.',
    columns: {
      conversation_id: 'The conversation.',
      conversation_start: 'Copy of its start: the table is partitioned by its month.',
      _index: 'Number of the row within its conversation, from 0.',
      interval_start: 'Start of the quarter hour (UTC) in which the metrics were emitted.',
      queue_id: 'The queue of the session when they were emitted; null: none.',
      user_id: 'The user whose session it was; null: none.',
      media_type: 'Media type of the session.',
      direction: 'Direction of the session.',
      originating_direction: 'Direction in which the conversation began.',
      ...measureColumns,
    },
  },
  conversation_facts: {
    description:
      'What follows from each conversation as a whole: one row per conversation, written in the transaction that writes it. Shown, with names, by reporting.conversations.',
    columns: {
      ...CONVERSATION_KEYS,
      conversation_end: 'Copy of its end; null: it is open.',
      originating_direction: 'Direction in which it began.',
      media_type: "Media type of the customer's first session, else of the first session.",
      media_types: 'The different media types of its sessions, sorted.',
      message_type: 'Kind of messaging of the session that media_type is of.',
      division_ids: 'Copy of its divisions.',
      first_queue_id: 'Queue of the first acd session that has one.',
      last_queue_id: 'Queue of the last acd session that has one.',
      queue_count: 'Different queues of acd sessions.',
      first_user_id: 'User of the first connected agent session.',
      last_user_id: 'User of the last connected agent session.',
      agent_count: 'Different users of connected agent sessions.',
      customer_end: "Latest segment end of the customer's sessions; null: one of them is open.",
      customer_address: 'Address of the customer in one spelling (src/model/address.ts). Personal data.',
      wrap_up_code_id: 'The last wrap-up code.',
      disconnect_type: "How the customer's last segment ended.",
      survey_score: 'The latest survey score.',
      evaluation_score: 'The latest evaluation score.',
      ...totalColumns('offered', 'transferred', 'blind_transferred', 'consult_transferred', 'answered', 'abandoned'),
      ...totalColumns('short_abandoned', 'flow_outs', 'wait_ms', 'handled', 'handle_ms', 'talk_ms', 'holds', 'hold_ms'),
      ...totalColumns('acw_ms', 'ivr_ms'),
      loaded_at: 'When the content that it comes from was loaded: _loaded_at of genesys.conversations.',
      updated_at: 'When the row was written.',
    },
  },
  queue_entries: {
    description:
      'One row per acd session: one entry of a conversation into a queue. Written in the transaction that writes the conversation. Shown, with names, by reporting.queue_entries.',
    columns: {
      ...CONVERSATION_KEYS,
      _session_index: 'Its session: _index in genesys.sessions.',
      queue_id: 'Queue of the last segment of the session that has one.',
      media_type: 'Media type of the session.',
      direction: 'Direction of the session.',
      entered_at: 'Earliest segment start of the session.',
      left_at: 'Latest segment end of the session; null: a segment is open.',
      answered_by_user_id: 'User whose session answered; null: outcome is not answered.',
      requested_skill_ids: 'Skills that were asked for.',
      requested_language_id: 'Language that was asked for.',
      outcome: 'short_abandoned, abandoned, flow_out, answered, waiting or other.',
      ...totalColumns('wait_ms'),
      over_service_level:
        'Sum of the values of nOverSla, of this session and of the one that answered; null: there is none.',
      updated_at: 'When the row was written.',
    },
  },
  agent_sessions: {
    description:
      'One row per session of an agent in a conversation, written in the transaction that writes the conversation. Shown, with names, by reporting.agent_sessions.',
    columns: {
      ...CONVERSATION_KEYS,
      _session_index: 'Its session: _index in genesys.sessions.',
      user_id: 'The agent.',
      queue_id: 'Queue of the last segment of the session that has one.',
      media_type: 'Media type of the session.',
      direction: 'Direction of the session.',
      alerted_at: 'Start of its first alert segment.',
      answered_at: 'Start of its first interact segment, else the emit date of tAnswered.',
      ended_at: 'Latest segment end; null: a segment is open.',
      is_answered: 'Whether the agent was connected.',
      wrap_up_code_id: 'The last wrap-up code of the session.',
      wrap_up_note_index: 'Which segment has the last note: _index in genesys.segments.',
      disconnect_type: 'How its last segment ended that says so.',
      campaign_id: 'Outbound campaign of the session.',
      ...totalColumns('alert_ms', 'talk_ms', 'hold_ms', 'acw_ms', 'handle_ms', 'transferred'),
      updated_at: 'When the row was written.',
    },
  },
  dirty_hours: {
    description:
      'Hours whose cells have changed since their intervals were last summed up, each any number of times. Written in the transaction that changes the cells; until an hour has been summed up again, the interval views read its cells.',
    columns: { hour: 'Start of the hour (UTC).', dirtied_at: 'When its cells changed.' },
  },
  derivation: {
    description:
      'One row: how far the cells and facts of conversations that are stored have been derived, by the newest first, and what the interval views show meanwhile.',
    columns: {
      id: 'Always true: there is one row.',
      version: 'Version of the rules that all derived rows have or are being brought to.',
      position_start: 'Every conversation that started later has been examined; null: all have.',
      position_id: 'Of those that started at that instant, the last that has been examined.',
      shown_from: 'The interval views show what lies at or after this instant.',
      media_types: 'HISTORY_MEDIA_TYPES of the service: the interval views leave out other media types. Null: all.',
      updated_at: 'When this row was last written.',
    },
  },
  queue_intervals: {
    description:
      'What interval_cells add up to: one row per quarter hour, queue, media type, direction and originating direction. Recomputed hour by hour from dirty_hours; what reporting.queue_intervals shows of hours that are not dirty.',
    columns: { ...INTERVAL_KEYS, ...omit(ROLLUP_KEYS, 'user_id'), ...measureColumns },
  },
  agent_intervals: {
    description: 'As queue_intervals, of the cells that have a user, and by user.',
    columns: { ...INTERVAL_KEYS, ...ROLLUP_KEYS, ...measureColumns },
  },
  queue_days: {
    description:
      'What queue_intervals add up to by day of the time zone of reporting.settings, originating directions together. Days in stale_days, and those with a dirty hour, are not read.',
    columns: { ...DAY_KEYS, ...omit(ROLLUP_KEYS, 'user_id', 'originating_direction'), ...measureColumns },
  },
  agent_days: {
    description: 'As queue_days, from agent_intervals and by user.',
    columns: { ...DAY_KEYS, ...omit(ROLLUP_KEYS, 'originating_direction'), ...measureColumns },
  },
  stale_days: {
    description:
      'Days whose rows in queue_days and agent_days have to be computed again: an hour of theirs has been, or the time zone has been set. The views compute them from intervals meanwhile.',
    columns: { time_zone: 'The time zone.', day: 'The day.' },
  },
  rejected_records: {
    description: 'Records that could not be loaded, each content once.',
    columns: {
      id: 'Number of the row.',
      stream: 'What was read, e.g. conversations.',
      conversation_id: 'The conversation, if the record names one.',
      reason: 'Why it could not be loaded.',
      raw: 'The record as Genesys sent it. Can hold personal data.',
      raw_hash: 'Hash of the record, so that one that is sent every night is stored once.',
      times: 'How often it was received.',
      run_id: 'The run that last received it: etl.runs.id.',
      rejected_at: 'When it was first received.',
      last_rejected_at: 'When it was last received.',
      resolved_at: 'When the conversation could be loaded after all.',
      fetched_at: 'The record is what Genesys had as of this time; null: it came before this was recorded.',
    },
  },
  restricted_readers: {
    description:
      'The roles that read schema genesys without personal data: migrate grants them its other columns, and takes back what is more. Written by deploy/roles.sql, or by the owner for roles of your own.',
    columns: { role_name: 'Name of the role.', registered_at: 'When it was registered.' },
  },
  meta: {
    description: 'Single facts by name.',
    columns: { key: 'Name.', value: 'Value.', updated_at: 'When it was last written.' },
  },
  reconciliations: {
    description:
      "The figures that comparing our intervals with Genesys' own aggregates (reconcile) has found to differ: at most 10 000 per run and day, kept for 92 days.",
    columns: {
      id: 'Number of the row.',
      run_id: 'The run that found it: etl.runs.id.',
      day: 'UTC day of the interval.',
      interval_start: 'Start of the interval of 30 minutes.',
      queue_id: 'Queue of the cell; null: none.',
      media_type: 'Media type of the cell; null: none.',
      user_id: 'User of the cell; null: of all users.',
      metric: 'The metric, as Genesys names it.',
      statistic: "count, sum (in milliseconds), or oServiceLevel's numerator or denominator.",
      ours: 'What our intervals have.',
      theirs: 'What Genesys has.',
      class:
        'What explains it. Expected: before_first_day (conversations that began before the first loaded day), filter (left out by a filter of the history), division (in a division that the OAuth client does not see), erased (not at Genesys any more). Otherwise: changed (a conversation differs from what Genesys has now), missing (a conversation is not in the tables), unexplained.',
      conversations: 'Up to 20 conversations: those that explain it first, then others with a metric in the cell.',
      created_at: 'When it was found.',
    },
  },
  reconciled_days: {
    description: 'The UTC days whose numbers were compared with Genesys, with the latest result of each.',
    columns: {
      day: 'The day.',
      filter: 'Filter of the history that was compared; {} without any.',
      reconciled_at: 'When it was last compared.',
      run_id: 'The run that did: etl.runs.id.',
      by_user: 'Whether the numbers by user were compared, too.',
      cells: 'Cells (interval, queue, media type) that were compared.',
      differences: 'Figures that differ for no expected cause.',
      expected: 'Figures that differ for an expected cause; see the column class of etl.reconciliations.',
    },
  },
  webhook_outbox: {
    description:
      'Messages for WEBHOOK_URL, written in the transaction of the snapshot that caused them. Delivered ones are deleted after a while.',
    columns: {
      id: 'Number of the message; the messages of one conversation are delivered in this order.',
      message_id: 'Sent as webhook-id: the same for every attempt, so that a receiver recognizes repetitions.',
      conversation_id: 'The conversation that it is about.',
      event: 'The rule of WEBHOOK_EVENTS that caused it.',
      payload: 'What is sent: ids and states.',
      created_at: 'When the snapshot was written.',
      attempts: 'How often it was sent.',
      next_attempt_at: 'Earliest time of the next attempt; while it is being sent, the end of the sender’s lease.',
      delivered_at: 'When the receiver answered 2xx.',
      given_up_at: 'When delivery was given up, a day after it was written.',
      last_error: 'How the last attempt failed.',
    },
  },
  rereads: {
    description:
      'Conversations that the live job saw end, until it has read each once more: wrap-up codes and closing metrics arrive some minutes after the end. Written in the transaction of the snapshot that saw the end.',
    columns: {
      conversation_id: 'The conversation.',
      ended_at: 'When it ended, after-call work included; null if the record does not say.',
      due_at: 'Earliest time of the second read, by the clock of the database.',
    },
  },
  request_budget: {
    description:
      'Shares the request limit of an OAuth client among the processes that use it. Unlogged, and of no use to readers: its rows say what was sent in the last two minutes.',
    columns: {
      client: 'Hash of the API host and the OAuth client id.',
      version: 'Counts the leases; a lease is written only if no other process has written since it was computed.',
      state: 'Requests leased by half second, and whether live waits, as JSON.',
      leased_at: 'When a process last asked for a lease.',
    },
  },
  reference_reads: {
    description: 'One row per list of reference data (genesys.dim_…): how its latest reads ended.',
    columns: {
      entity: 'The list: the table genesys.dim_… without the prefix.',
      read_at: 'When it was last read completely: its rows are current as of then; null: never.',
      rows: 'Rows that were not marked as deleted after that.',
      attempted_at: 'When the latest attempt began.',
      error_code: 'Stable code of the error that ended the latest attempt; null: none did.',
      error: 'What happened.',
      hint: 'What to do.',
    },
  },
}

/** Descriptions of the tables of schema reporting and their columns, as etlDescriptions; views have their comments in their files. */
export const reportingDescriptions: typeof etlDescriptions = {
  settings: {
    description:
      'How the reports count: one row, which the owner of the schema may change. A change takes effect at once, for the past as well.',
    columns: {
      id: 'Always true: there is one row.',
      time_zone:
        'The time zone of days, weeks, months and hours: a name of pg_timezone_names, e.g. Europe/Berlin. Anything else is refused.',
      service_level_includes_abandons:
        'Whether abandons count in the denominator of the service level. As the following two, a setting in Genesys (Admin, Contact Center, Analytics) that its API does not show.',
      service_level_includes_short_abandons: 'Whether short abandons count in it, where abandons do.',
      service_level_includes_flow_outs: 'Whether flow-outs count in it.',
      first_day_of_week: 'First day of the week: 1 is Monday, 7 is Sunday.',
      settle_days: 'How many days after their end Genesys still corrects conversations (HISTORY_SETTLE_DAYS).',
    },
  },
}

/** Descriptions of the live tables of schema genesys and their columns, as etlDescriptions. */
export const liveDescriptions: typeof etlDescriptions = {
  live_conversations: {
    description:
      'One row per conversation that is open, after-call work included, as of the latest complete snapshot. Replaced atomically; how old it is follows from the newest complete row of live_snapshots.',
    columns: {
      conversation_id: 'The conversation.',
      conversation_start: 'When it started.',
      media_type: 'Media type of the session that determines the state: voice, callback, chat, email, message, …',
      message_type: 'Kind of messaging, e.g. sms or whatsapp.',
      direction: 'Direction in which it began: inbound or outbound.',
      state:
        'What its customer experiences: ivr, waiting, alerting, dialing, interacting, hold, acw (the customer has left or has nobody to talk to any more, and an agent is still working on it), scheduled (a callback that is not due yet), other (e.g. parked).',
      state_since:
        'Since when. For acw: since the end of the agent’s last segment with the customer, if no segment shows the after-call work.',
      queue_id: 'Queue of the session that determines the state.',
      user_id: 'Agent or user of the session that determines the state.',
      user_ids: 'All agents and users who take part at the moment, those in after-call work included.',
      waiting_since: 'When it entered the queue in which it is waiting; set while it is waiting or alerting.',
      division_ids: 'Divisions of the conversation.',
      participants: 'Number of participants so far.',
      skill_ids: 'Skills that are requested.',
      language_id: 'Language that is requested.',
      scheduled_at: 'When a callback is due.',
      snapshot_at: 'Snapshot in which this row last changed: unchanged rows are not rewritten.',
      agents:
        'What each of user_ids is doing: a list of {user_id, state, state_since, queue_id}, ordered by user id; state as above, of that agent alone. Null: nobody takes part, or the row was written before this column was added.',
    },
  },
  live_snapshots: {
    description: 'One row per snapshot, failed ones included. Kept for LIVE_RETENTION_HOURS.',
    columns: {
      snapshot_at: 'When it was begun, by the clock of the database.',
      source: 'What was read: analytics (the whole organization) or conversations (those of one user).',
      conversations: 'Rows of live_conversations as of it; null if it failed.',
      ended:
        'Conversations that had ended, after-call work included, since the snapshot before it, and were loaded into the history; null if it failed.',
      duration_ms: 'From the first request to the commit, in milliseconds.',
      requests: 'Requests that it took.',
      complete: 'False: it failed, and live_conversations is still that of the snapshot before it.',
      stretched:
        'True: snapshots before it were skipped (throttled), since the live job had used up its share of the request limit.',
      error: 'Why it failed; for a complete one, what failed besides.',
      waiting:
        'Conversations in state waiting as of it, in a queue or not; null if it failed or is older than this column.',
      interacting: 'Conversations in state interacting, as waiting.',
      hold: 'Conversations in state hold, as waiting.',
    },
  },
  live_queues: {
    description:
      'Conversations of each snapshot by queue and media type. Kept for LIVE_RETENTION_HOURS. A queue with agents but no conversation has one row, of media type none.',
    columns: {
      snapshot_at: 'The snapshot: live_snapshots.snapshot_at.',
      queue_id: 'The queue.',
      media_type: 'Media type; unknown if the conversation has none; none if the queue has no conversation.',
      waiting: 'Conversations waiting for an agent, without those that are alerting.',
      alerting: 'Conversations that are ringing at an agent.',
      interacting: 'Conversations in which a customer is talking to an agent.',
      hold: 'Conversations whose customer is on hold.',
      acw: 'Conversations in which only an agent in after-call work is still busy.',
      longest_wait_seconds:
        'How long the one that has waited longest, of those waiting or alerting, had been waiting; null: none was.',
      on_queue_users:
        'Users on queue, whatever the media type: the same on every row of the queue. Null: not readable (analytics:queueObservation:view).',
      off_queue_users: 'Users of the queue who are off queue; otherwise as on_queue_users.',
    },
  },
  live_today: {
    description:
      'Figures of the local day so far, by queue and in total, for the wallboard. Read again every five minutes. For reports take reporting.queue_daily.',
    columns: {
      queue_id: 'The queue; null on the one row of all contacts, which includes those without a queue.',
      day: 'The day, in time_zone.',
      time_zone: 'The time zone of reporting.settings when it was read.',
      source:
        'genesys (its own aggregates: contacts in progress count as far as they are), or warehouse (the loaded conversations, where the permission analytics:conversationAggregate:view is missing).',
      read_at: 'As of when, by the clock of the database.',
      offered: 'Contacts that entered a queue.',
      answered: 'Contacts that an agent answered.',
      answer_ms: 'How long these had waited, together, in milliseconds.',
      abandoned: 'Contacts whose customer left before an answer.',
      answered_in_time: 'Answered contacts within the service level of their queue.',
      service_level_contacts:
        'Contacts that count for the service level: answered ones and, by the switches of the organization, others. The service level is answered_in_time / service_level_contacts.',
    },
  },
}

/** COMMENT ON statements for every table and column, in the order of the model, as one text. */
export function commentStatements(): string {
  const statements: string[] = []
  for (const table of tables) {
    statements.push(`comment on table genesys.${table} is ${literal(model[table].description)};`)
    for (const { name, description } of columnsOf(table)) {
      statements.push(`comment on column genesys.${table}.${name} is ${literal(description)};`)
    }
  }
  for (const name of referenceNames) {
    const table = referenceTable(name)
    statements.push(`comment on table ${table} is ${literal(referenceEntity(name).description)};`)
    for (const column of referenceColumnsOf(name))
      statements.push(`comment on column ${table}.${column.name} is ${literal(column.description)};`)
  }
  for (const [schema, descriptions] of Object.entries({
    genesys: liveDescriptions,
    reporting: reportingDescriptions,
    etl: etlDescriptions,
  })) {
    for (const [table, { description, columns }] of Object.entries(descriptions)) {
      statements.push(`comment on table ${schema}.${table} is ${literal(description)};`)
      for (const [column, text] of Object.entries(columns)) {
        statements.push(`comment on column ${schema}.${table}."${column}" is ${literal(text)};`)
      }
    }
  }
  return statements.join('\n')
}

function literal(text: string): string {
  return `'${text.replaceAll("'", "''")}'`
}
