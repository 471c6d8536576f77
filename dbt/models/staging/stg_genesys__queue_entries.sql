{{ config(indexes=[{'columns': ['conversation_id', '_session_index'], 'unique': true}, {'columns': ['conversation_start']}, {'columns': ['updated_at']}]) }}

select conversation_id, conversation_start, _session_index, queue_id, media_type, direction, entered_at, left_at, wait_seconds,
  answered_by_user_id, over_service_level, requested_skill_ids, requested_language_id, priority,
  outcome, updated_at
from {{ source('genesys_reporting', 'queue_entries') }}
where {{ genesys_etl.is_changed() }}
