create or replace view reporting.freshness_reference as
select entity, read_at, rows, error
from etl.reference_reads;

comment on view reporting.freshness_reference is
  'One row per list of reference data (the tables genesys.dim_…, without the prefix): when it was last read completely.';
comment on column reporting.freshness_reference.entity is 'The list: the table genesys.dim_… without the prefix.';
comment on column reporting.freshness_reference.read_at is
  'When it was last read completely, by the clock of the database; null: never.';
comment on column reporting.freshness_reference.rows is 'Rows that were not marked as deleted then.';
comment on column reporting.freshness_reference.error is
  'Why the latest attempt failed, e.g. a missing permission: the rows are those of read_at. Null: it did not fail.';
