{{ config(indexes=[{'columns': ['conversation_id', '_index'], 'unique': true}, {'columns': ['conversation_start']}, {'columns': ['updated_at']}]) }}

-- With updated_at of reporting.conversations, by which changes are found: that of the view moves for attributes, too. The view also has
-- conversations that reporting.conversations does not have yet while an older history is being filled.
with changed as (
  select conversation_id, conversation_start, updated_at
  from {{ source('genesys_reporting', 'conversations') }}
  where {{ genesys_etl.is_changed() }}
)
select conversation_id, conversation_start, w._index, w._session_index, w.user_id, w.queue_id, w.media_type, w.direction,
  w.wrap_up_code_id, w.started_at, w.ended_at, w.duration_seconds, w.wrap_up_tags, c.updated_at
from {{ source('genesys_reporting', 'wrap_ups') }} w
join changed c using (conversation_id, conversation_start)
-- lets Postgres skip the months before
where conversation_start >= (select min(conversation_start) from changed)
