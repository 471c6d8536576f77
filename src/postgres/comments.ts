import { columnsOf, tables } from '../model/columns.ts'
import { model } from '../model/model.ts'

/** What every table of schema etl and its columns mean: the source of their COMMENT ON and of the data dictionary. */
export const etlDescriptions: Readonly<
  Record<string, { description: string; columns: Readonly<Record<string, string>> }>
> = {
  runs: {
    description: 'One row a run of a job.',
    columns: {
      id: 'Number of the run.',
      job: 'What ran: sync, backfill, …',
      trigger: 'Who started it: cron, cli, catch-up, …',
      started_at: 'Start, by the clock of the database.',
      finished_at: 'End; null while it runs or when its process was killed.',
      cycle_started_at:
        'Start of the first of the unfinished runs that this one goes on with, else its own start: windows read since then are not read again.',
      status:
        'running, done, partial (some windows failed), failed, or interrupted (by a signal, or its process was killed).',
      parameters: 'What it was asked to do.',
      plan: 'Windows, requests and time that were expected at its start.',
      counts: 'What it did: conversations and rows by outcome, requests.',
      error_code: 'Stable code of the error that ended it.',
      error: 'What happened.',
      hint: 'What to do.',
      host: 'Host and process that ran it.',
      version: 'Version of genesys-etl.',
    },
  },
  windows: {
    description: 'What has been read from Genesys, window by window. Coverage is a query on this table.',
    columns: {
      id: 'Number of the row.',
      stream: 'What is read, e.g. conversations.',
      source: 'How it was read: query, jobs.',
      filter: 'The filters that applied; {} without any. Windows of different filters are apart.',
      start: 'First instant of the window.',
      end: 'First instant after the window.',
      status:
        'done, provisional (reaches into the day of the reading), unstable (loaded, but not known to be whole) or failed.',
      attempts: 'Readings since it was last done.',
      hits: 'Conversations that Genesys reported for the window.',
      counts: 'Conversations by outcome, requests.',
      read_at: 'As of when the last successful reading vouches, by the clock of the database.',
      recorded_at: 'When this row was last written.',
      next_attempt_at: 'Not to be read again before.',
      error_code: 'Stable code of the error of the last attempt, or of why the window is unstable.',
      error: 'What happened at the last attempt, or why the window is unstable.',
      run_id: 'The run of the last attempt: etl.runs.id.',
    },
  },
  conversations: {
    description: 'One row a conversation: which version of it is stored, and as of when.',
    columns: {
      conversation_id: 'The conversation.',
      conversation_start: 'The start under which its rows are stored.',
      content_hash: 'Hash of its content without participant attributes. The same in every version of genesys-etl.',
      attributes_hash:
        'Hash of its participant attributes; null when no source has delivered any, empty when one that does had none.',
      fetched_at: 'As of when the source vouches for it. Older answers are not loaded over it.',
      confirmed_at: 'When it was last loaded or found unchanged.',
      previous_start: 'Start before the last load, from which the loader learns what it replaces.',
      previous_content_hash: 'Content hash before the last load.',
      previous_attributes_hash: 'Attributes hash before the last load.',
    },
  },
  rejected_records: {
    description: 'Records that could not be loaded, once per content.',
    columns: {
      id: 'Number of the row.',
      stream: 'What was read, e.g. conversations.',
      conversation_id: 'The conversation, where the record names one.',
      reason: 'Why it could not be loaded.',
      raw: 'The record as Genesys sent it. May hold personal data.',
      raw_hash: 'Hash of the record, so that a record that comes every night is kept once.',
      times: 'How often it came.',
      run_id: 'The run that last met it: etl.runs.id.',
      rejected_at: 'When it came first.',
      last_rejected_at: 'When it came last.',
      resolved_at: 'When the conversation could be loaded after all.',
    },
  },
  meta: {
    description: 'Single facts by name.',
    columns: { key: 'Name.', value: 'Value.', updated_at: 'When it was written.' },
  },
  webhook_outbox: {
    description:
      'Messages for WEBHOOK_URL, written in the transaction of the snapshot that saw their cause. Delivered ones are pruned.',
    columns: {
      id: 'Number of the message; those of one conversation are delivered in this order.',
      message_id: 'Sent as webhook-id: the same for every attempt, so that a receiver can tell repetitions.',
      conversation_id: 'The conversation it is about.',
      event: 'The rule of WEBHOOK_EVENTS that it comes from.',
      payload: 'What is sent: ids and states.',
      created_at: 'When the snapshot was written.',
      attempts: 'How often it was sent.',
      next_attempt_at: 'Not to be sent again before; while it is being sent, until when its sender may take.',
      delivered_at: 'When the receiver answered 2xx.',
      given_up_at: 'When we stopped trying, a day after it was written.',
      last_error: 'How the last attempt failed.',
    },
  },
  rereads: {
    description:
      'Conversations that the live job saw end, until it has read each once more: wrap-up codes and closing metrics arrive some minutes after the end. Written in the transaction of the snapshot that saw the end.',
    columns: {
      conversation_id: 'The conversation.',
      ended_at: 'When it ended, after-call work included; null where the record does not say.',
      due_at: 'Earliest time of the second reading, by the clock of the database.',
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
}

/** What the live tables of schema genesys and their columns mean, as etlDescriptions. */
export const liveDescriptions: typeof etlDescriptions = {
  live_conversations: {
    description:
      'One row per conversation that is open, after-call work included, as of the latest complete snapshot. Replaced atomically; how old it is follows from the newest complete row of live_snapshots.',
    columns: {
      conversation_id: 'The conversation.',
      conversation_start: 'When it started.',
      media_type: 'Media type of the session that decides about the state: voice, callback, chat, email, message, …',
      message_type: 'Kind of messaging, e.g. sms or whatsapp.',
      direction: 'Direction in which it began: inbound or outbound.',
      state:
        'What its customer experiences: ivr, waiting, alerting, dialing, interacting, hold, acw (the customer has left or has nobody left to talk with, and an agent is still working on it), scheduled (a callback that is not due), other (e.g. parked).',
      state_since:
        'Since when. Of acw: since the agent’s last segment with the customer ended, where no segment shows the after-call work.',
      queue_id: 'Queue of the session that decides about the state.',
      user_id: 'Agent or user of the session that decides about the state.',
      user_ids: 'All agents and users who take part at the moment, those in after-call work included.',
      waiting_since: 'When it entered the queue in which it waits; set while it is waiting or alerting.',
      division_ids: 'Divisions of the conversation.',
      participants: 'How many participants it has had.',
      skill_ids: 'Skills that are asked for.',
      language_id: 'Language that is asked for.',
      scheduled_at: 'When a callback is due.',
      snapshot_at: 'The snapshot since which this row stands like this: unchanged rows are not rewritten.',
      agents:
        'What each of user_ids does: a list of {user_id, state, state_since, queue_id} by user id; state as above, of that agent alone. Null: nobody takes part, or the row was written before this column was.',
    },
  },
  live_snapshots: {
    description: 'One row a snapshot, failed ones included. Kept for LIVE_RETENTION_HOURS.',
    columns: {
      snapshot_at: 'When its reading began, by the clock of the database.',
      source: 'What was read: analytics (the whole organization) or conversations (those of one user).',
      conversations: 'Rows of live_conversations as of it; null where it failed.',
      ended:
        'Conversations that had ended, after-call work included, since the snapshot before it and were loaded into the history; null where it failed.',
      duration_ms: 'From the first request to the commit, in milliseconds.',
      requests: 'Requests it took.',
      complete: 'False: it failed, and live_conversations is still that of the snapshot before it.',
      stretched: 'True: ticks before it were left out, since the live side had used up its share of the request limit.',
      error: 'Why it failed; of a complete one, what went wrong beside it.',
    },
  },
  live_queues: {
    description:
      'Conversations of each snapshot by queue and media type. Kept for LIVE_RETENTION_HOURS. A queue with agents but no conversation has one row, of media type none.',
    columns: {
      snapshot_at: 'The snapshot: live_snapshots.snapshot_at.',
      queue_id: 'The queue.',
      media_type: 'Media type; unknown where the conversation tells none; none where the queue has no conversation.',
      waiting: 'Conversations waiting for an agent, without those alerting.',
      alerting: 'Conversations ringing at an agent.',
      interacting: 'Conversations of a customer with an agent.',
      hold: 'Conversations whose customer is on hold.',
      acw: 'Conversations that nobody but an agent in after-call work is busy with.',
      longest_wait_seconds: 'For how long the first of those waiting or alerting had been waiting; null: nobody was.',
      on_queue_users:
        'Users on queue, whatever the media type: the same on every row of the queue. Null: not readable (analytics:queueObservation:view).',
      off_queue_users: 'Users of the queue who are off queue, as on_queue_users.',
    },
  },
}

/** COMMENT ON statements for every table and column, in the order of the model; one text to run at once. */
export function commentStatements(): string {
  const statements: string[] = []
  for (const table of tables) {
    statements.push(`comment on table genesys.${table} is ${literal(model[table].description)};`)
    for (const { name, description } of columnsOf(table)) {
      statements.push(`comment on column genesys.${table}.${name} is ${literal(description)};`)
    }
  }
  for (const [schema, descriptions] of Object.entries({ genesys: liveDescriptions, etl: etlDescriptions })) {
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
