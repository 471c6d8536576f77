{{ config(indexes=[{'columns': ['conversation_id'], 'unique': true}, {'columns': ['conversation_start']}, {'columns': ['updated_at']}]) }}

select conversation_id, conversation_start, conversation_end, is_open, originating_direction, media_type, media_types, message_type,
  division_ids, first_queue_id, last_queue_id, queue_count, first_user_id, last_user_id, agent_count, customer_end, duration_seconds,
  ivr_seconds, wait_seconds, talk_seconds, hold_seconds, acw_seconds, handle_seconds, offered, answered, abandoned, short_abandoned,
  flow_outs, transferred, blind_transferred, consult_transferred, is_answered, is_abandoned, wrap_up_code_id, disconnect_type,
  survey_score, evaluation_score, updated_at
from {{ source('genesys_reporting', 'conversations') }}
where {{ genesys_etl.is_changed() }}
