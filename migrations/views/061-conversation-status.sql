create or replace view reporting.conversation_status as
select c.conversation_id, c.conversation_start, c.conversation_end, c.conversation_end is null as is_open,
  etl.is_final(c.conversation_end, e.fetched_at, (select settle_days from reporting.settings)) as is_final,
  c._missing_since as missing_since, c._loaded_at as loaded_at, e.fetched_at
from genesys.conversations c
left join etl.conversations e on e.conversation_id = c.conversation_id and e.conversation_start = c.conversation_start;

comment on view reporting.conversation_status is
  'One row per stored conversation: whether it is open, may still change, or is missing at Genesys. A range of conversation_start lets it skip months.';
comment on column reporting.conversation_status.conversation_id is 'The conversation.';
comment on column reporting.conversation_status.conversation_start is 'Its start: the tables are partitioned by its month.';
comment on column reporting.conversation_status.conversation_end is 'Its end; null: it is open.';
comment on column reporting.conversation_status.is_open is 'True: it has not ended. A thread of e-mail or messages can be open again after it had ended.';
comment on column reporting.conversation_status.is_final is
  'True: it has ended, and Genesys was asked settle_days after its end or later (reporting.settings), so that it is not expected to change any more. False again when it reopens. A change of settle_days takes effect at once.';
comment on column reporting.conversation_status.missing_since is
  'Since when Genesys has it no more; null: it has. Its rows stay in schema genesys, but it counts in no report.';
comment on column reporting.conversation_status.loaded_at is 'When this version, or the mark missing_since, was written: _loaded_at of genesys.conversations.';
comment on column reporting.conversation_status.fetched_at is 'What is stored of it was current as of this time.';
