create or replace view reporting.deletions as
select conversation_id, at, reason, conversation_start from etl.deletions;

comment on view reporting.deletions is
  'What has left the tables, or counts in the reports no more, for incremental models: delete rows of the conversation with that start that were loaded before "at", then take over what has a newer _loaded_at.';
comment on column reporting.deletions.conversation_id is 'The conversation.';
comment on column reporting.deletions.at is 'When it left. It can have come back since.';
comment on column reporting.deletions.reason is
  'missing: Genesys has it no more; its rows stay in schema genesys, with _missing_since. moved: Genesys has corrected its start, and it stands under the new one. erased: it was erased on request, and is not loaded again.';
comment on column reporting.deletions.conversation_start is 'The start under which it stood.';
