-- As its owner, since it reads schema etl: a role with rights on schema reporting alone may call it.
create or replace function reporting.conversation_start(conversation_id text) returns timestamptz
language plpgsql stable parallel safe security definer set search_path = pg_catalog, pg_temp as $$
begin
  return (select c.conversation_start from etl.conversations c where c.conversation_id = $1);
end $$;
comment on function reporting.conversation_start(text) is
  'When a conversation began, by its id; null where it is not stored. With both, a query reads one month of the tables instead of all.';
