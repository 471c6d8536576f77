select id as wrap_up_code_id, name as wrap_up_code_name, _deleted_at is not null as is_deleted
from {{ source('genesys', 'dim_wrap_up_codes') }}
