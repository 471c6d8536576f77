-- From the days of agents, since a reader without personal data may not read genesys.dim_users.
select user_id, max(user_name) as user_name, max(team_name) as team_name
from {{ ref('genesys_agent_days') }}
group by user_id
