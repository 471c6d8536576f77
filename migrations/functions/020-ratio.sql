create or replace function reporting.ratio(numerator double precision, denominator double precision) returns double precision
language sql immutable parallel safe
return numerator / nullif(denominator, 0);
comment on function reporting.ratio(double precision, double precision) is
  'Numerator over denominator; null where the denominator is 0. For rates of grouped counts, e.g. ratio(sum(answered), sum(offered)).';
