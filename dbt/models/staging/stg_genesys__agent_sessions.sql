{{ config(indexes=[{'columns': ['conversation_id', '_session_index'], 'unique': true}, {'columns': ['conversation_start']}, {'columns': ['updated_at']}]) }}

select conversation_id, conversation_start, _session_index, user_id, queue_id, media_type, direction, alerted_at, answered_at, ended_at,
  alert_seconds, talk_seconds, hold_seconds, acw_seconds, handle_seconds, is_answered, transferred, wrap_up_code_id, disconnect_type,
  campaign_id, updated_at
from {{ source('genesys_reporting', 'agent_sessions') }}
where {{ genesys_etl.is_changed() }}
