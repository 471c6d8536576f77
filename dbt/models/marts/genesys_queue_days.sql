-- In full each time: a day can lose rows, which no updated_at shows, and a change of the time zone changes all days.
select *
from {{ source('genesys_reporting', 'queue_daily') }}
