create or replace function etl.require_granularity(granularity text) returns void language plpgsql immutable parallel safe as $$
begin
  if granularity is null or granularity not in ('15 minutes', '30 minutes', '1 hour', '1 day', '1 week', '1 month') then
    raise exception 'granularity % is none of 15 minutes, 30 minutes, 1 hour, 1 day, 1 week and 1 month', coalesce(quote_literal(granularity), 'null')
      using errcode = 'invalid_parameter_value';
  end if;
end $$;
comment on function etl.require_granularity(text) is 'Refuses what is no granularity of the functions of schema reporting.';
