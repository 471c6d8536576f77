-- The sums of a day are those of reporting.agent_daily. Days that have changed since the mart was built are left out.
{% set figures = ['offered', 'answered', 'answer_ms', 'abandoned', 'waits', 'wait_ms', 'handled', 'handle_ms', 'talk_ms', 'hold_ms', 'acw_ms', 'transferred'] %}
with built as (
  select day, {% for figure in figures %}sum({{ figure }}) as {{ figure }}{{ ', ' if not loop.last }}{% endfor %}
  from {{ ref('genesys_agent_days') }}
  group by day
), present as (
  select day, max(updated_at) as updated_at, {% for figure in figures %}sum({{ figure }}) as {{ figure }}{{ ', ' if not loop.last }}{% endfor %}
  from {{ source('genesys_reporting', 'agent_daily') }}
  where day >= current_date - {{ var('genesys_compared_days') | int }}
  group by day
)
select p.day
from present p
left join built b using (day)
where p.updated_at <= (select max(updated_at) from {{ ref('genesys_agent_days') }})
  and ({% for figure in figures %}b.{{ figure }} is distinct from p.{{ figure }}{{ ' or ' if not loop.last }}{% endfor %})
