-- Three hundred thousand years in milliseconds are no duration, and hundreds of them still add up to a bigint: no number that Genesys
-- sends may make the views fail. 10^16 is the first power of ten beyond 2^53, the largest whole number that JSON is sure to carry.
create or replace function etl.countable(value bigint) returns bigint language sql immutable parallel safe
return case when value > 10000000000000000 then 10000000000000000 when value < -10000000000000000 then -10000000000000000 else value end;
comment on function etl.countable(bigint) is 'The value, or 10^16 (with its sign) where that is less far from 0.';
