-- The table as an object, not as a text to look up: a role with rights on schema reporting alone may call it, too.
-- Call it as (select etl.shows_personal()), so that a query asks once and not for each row.
-- The setting lets the owner hide them from itself, for pages; it can only hide.
create or replace function etl.shows_personal() returns boolean
language sql stable parallel safe
return has_column_privilege('genesys.sessions'::regclass, 'ani', 'select')
  and current_setting('genesys_etl.hide_personal', true) is distinct from 'on';
comment on function etl.shows_personal() is
  'Whether views show personal columns to the role that asks: to those that may read genesys.sessions.ani. Others find null there, and so does everybody where the setting genesys_etl.hide_personal is on.';
