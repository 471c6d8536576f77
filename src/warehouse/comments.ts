import { columnsOf, tables } from '../core/columns.ts'
import { model } from '../core/model.ts'

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
        'done, provisional (reaches into the day of the reading), unstable (loaded, but reads did not agree) or failed.',
      attempts: 'Readings since it was last done.',
      hits: 'Conversations that Genesys reported for the window.',
      counts: 'Conversations by outcome, requests.',
      read_at: 'As of when the last successful reading vouches, by the clock of the database.',
      recorded_at: 'When this row was last written.',
      next_attempt_at: 'Not to be read again before.',
      error_code: 'Stable code of the error of the last attempt.',
      error: 'What happened at the last attempt.',
      run_id: 'The run of the last attempt: etl.runs.id.',
    },
  },
  conversations: {
    description: 'One row a conversation: which version of it is stored, and as of when.',
    columns: {
      conversation_id: 'The conversation.',
      conversation_start: 'The start under which its rows are stored.',
      content_hash: 'Hash of its content without participant attributes; includes the version of the model.',
      attributes_hash: 'Hash of its participant attributes; null when no source has delivered any.',
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
  for (const [table, { description, columns }] of Object.entries(etlDescriptions)) {
    statements.push(`comment on table etl.${table} is ${literal(description)};`)
    for (const [column, text] of Object.entries(columns)) {
      statements.push(`comment on column etl.${table}."${column}" is ${literal(text)};`)
    }
  }
  return statements.join('\n')
}

function literal(text: string): string {
  return `'${text.replaceAll("'", "''")}'`
}
