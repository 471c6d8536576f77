{{ config(indexes=[{'columns': ['conversation_id', '_index'], 'unique': true}, {'columns': ['conversation_start']}, {'columns': ['updated_at']}]) }}

-- The view has conversations that reporting.conversations does not have yet while an older history is being filled.
select conversation_id, conversation_start, _index, _session_index, user_id, queue_id, media_type, direction, wrap_up_code_id, started_at,
  ended_at, duration_seconds, wrap_up_tags, updated_at
from {{ source('genesys_reporting', 'wrap_ups') }}
where {{ genesys_etl.of_changed_conversations(restricted=true) }}
