-- A user is in one team at most; should there be two, one of them must not double what is joined.
create or replace view etl.user_teams as
select m.user_id, min(t.name) as name
from genesys.dim_team_members m join genesys.dim_teams t on t.id = m.team_id
where m._deleted_at is null
group by m.user_id;

comment on view etl.user_teams is 'Present team of each user who has one, by name.';
comment on column etl.user_teams.user_id is 'The user.';
comment on column etl.user_teams.name is 'Name of the team.';
