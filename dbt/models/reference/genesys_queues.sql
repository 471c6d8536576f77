select id as queue_id, name as queue_name, division_id, _deleted_at is not null as is_deleted
from {{ source('genesys', 'dim_queues') }}
