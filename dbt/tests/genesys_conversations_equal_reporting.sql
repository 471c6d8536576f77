-- The conversations of the last days are those of reporting.conversations, in the same state. What has changed since the model was built, or
-- may have been committed late, is left out.
{% set newest %}(select max(updated_at) - interval '{{ var("genesys_untested_minutes") | int }} minutes' from {{ ref('stg_genesys__conversations') }}){% endset %}
select coalesce(s.conversation_id, r.conversation_id) as conversation_id
from (select conversation_id, conversation_start, updated_at from {{ ref('stg_genesys__conversations') }}
  where conversation_start >= current_date - {{ var('genesys_compared_days') | int }}) s
full join (select conversation_id, conversation_start, updated_at from {{ source('genesys_reporting', 'conversations') }}
  where conversation_start >= current_date - {{ var('genesys_compared_days') | int }}) r using (conversation_id)
where coalesce(r.updated_at, s.updated_at) <= {{ newest }}
  and (s.conversation_start, s.updated_at) is distinct from (r.conversation_start, r.updated_at)
  -- what left since the model was built
  and not (r.conversation_id is null and exists (
    select from {{ source('genesys_reporting', 'deletions') }} d
    where d.conversation_id = s.conversation_id and d.at > {{ newest }}))
