-- As sum(bigint), but its state and its result are a bigint, not a numeric: the views add up fifty columns of many rows.
create or replace aggregate etl.total(bigint) (sfunc = int8pl, stype = bigint, combinefunc = int8pl, parallel = safe);
comment on aggregate etl.total(bigint) is 'Sum of bigint values as a bigint; null where there is none.';
