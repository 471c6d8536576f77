{{ config(indexes=[{'columns': ['conversation_id']}, {'columns': ['conversation_start']}, {'columns': ['updated_at']}]) }}

select conversation_id, conversation_start, queue_id, user_id, wrap_up_code_id, updated_at
from {{ source('genesys_reporting', 'wrap_ups') }}
where {{ genesys_etl.is_changed() }}
