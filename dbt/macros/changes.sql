{#
  Incremental models copy whole conversations: all rows of a conversation are replaced when one of them may have changed. A conversation
  that has lost its last row of a kind (its only queue entry, for example) is in no view of that kind any more, and one that Genesys has
  deleted is in none at all. So what is to be replaced comes from reporting.conversations and reporting.deletions, for every model.
#}

{# The instant from which on changes are taken over, as text; none: the model is built in full. #}
{% macro changes_from() %}
  {% if not execute or not is_incremental() %}{{ return(none) }}{% endif %}
  {% set query %}
    select (coalesce(max(updated_at), '-infinity') - interval '{{ var("genesys_overlap_minutes") | int }} minutes')::text from {{ this }}
  {% endset %}
  {{ return(run_query(query).columns[0].values()[0]) }}
{% endmacro %}

{# The condition that selects what has changed; all rows of the facts of a conversation are written at once, with the same updated_at. #}
{% macro is_changed() %}
  {%- set since = genesys_etl.changes_from() -%}
  {{ "true" if since is none else "updated_at >= '" ~ since ~ "'::timestamptz" }}
{% endmacro %}

{# Before an incremental run, in its transaction: deletes the rows of what has changed or left. #}
{% macro delete_changed_conversations() %}
  {% set since = genesys_etl.changes_from() %}
  {% if since is not none %}
    delete from {{ this }} where conversation_id in (
      select conversation_id from {{ source('genesys_reporting', 'conversations') }} where updated_at >= '{{ since }}'::timestamptz
      union all
      select conversation_id from {{ source('genesys_reporting', 'deletions') }} where at >= '{{ since }}'::timestamptz)
  {% endif %}
{% endmacro %}
