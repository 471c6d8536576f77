-- A hundred thousand years in milliseconds is no duration, and thousands of it still add up to a bigint: no number that Genesys sends
-- may make the views fail.
create or replace function etl.countable(value bigint) returns bigint language sql immutable parallel safe
return case when value > 1000000000000000 then 1000000000000000 when value < -1000000000000000 then -1000000000000000 else value end;
comment on function etl.countable(bigint) is 'The value, or 10^15 (with its sign) where that is less far from 0.';
