{# No two rows have the same values in these columns; null is a value, too. #}
{% test genesys_unique_rows(model, columns) %}
select {{ columns | join(', ') }}, count(*) as occurrences
from {{ model }}
group by {{ columns | join(', ') }}
having count(*) > 1
{% endtest %}
