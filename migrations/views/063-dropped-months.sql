create or replace view reporting.dropped_months as
select month, finished_at as dropped_at, conversations, restored_at as brought_back_at
from etl.dropped_months where finished_at is not null or restored_at is not null;

comment on view reporting.dropped_months is
  'One row per UTC month whose conversations, with everything that belongs to them and the rows of agents by interval, were dropped, since they are not kept for so long (HISTORY_RETENTION_MONTHS). Its numbers by queue and by day stay.';
comment on column reporting.dropped_months.month is 'First day of the month (UTC).';
comment on column reporting.dropped_months.dropped_at is
  'When the month was dropped completely. Null: it is older than what is kept, and was loaded on purpose.';
comment on column reporting.dropped_months.conversations is 'How many conversations were dropped.';
comment on column reporting.dropped_months.brought_back_at is
  'Since when conversations of the month may be stored again, because a backfill has brought it back on purpose. Null: none are stored.';
