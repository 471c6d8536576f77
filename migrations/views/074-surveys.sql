-- One conversation after the other (offset 0): see 070-wrap-ups.sql.
create or replace view reporting.surveys as
select c.conversation_id, c.conversation_start, c._loaded_at as updated_at, y._index, y.survey_id, y.survey_status, y.survey_type,
  y.event_time, y.survey_completed_date as completed_at, y.survey_form_id, coalesce(f.name, y.survey_form_name, y.survey_form_id) as survey_form_name,
  y.survey_form_context_id, y.queue_id, coalesce(q.name, y.queue_id) as queue_name, y.user_id, coalesce(u.name, y.user_id) as user_name,
  y.o_survey_total_score as total_score, y.survey_promoter_score as promoter_score, y.survey_partial_response as partial_response
from genesys.conversations c
cross join lateral (
  select * from genesys.surveys y
  where y.conversation_id = c.conversation_id and y.conversation_start = c.conversation_start
  offset 0) y
left join genesys.dim_survey_forms f on f.id = y.survey_form_id
left join genesys.dim_queues q on q.id = y.queue_id
left join genesys.dim_users u on u.id = y.user_id
where c._missing_since is null;

comment on view reporting.surveys is
  'One row per survey that was sent or offered to the customer about a conversation; they change for weeks after it. Without conversations that Genesys has no more.';
comment on column reporting.surveys.conversation_id is 'The conversation.';
comment on column reporting.surveys.conversation_start is 'Its start: the tables are partitioned by its month.';
comment on column reporting.surveys.updated_at is 'When the conversation was last written, for incremental models.';
comment on column reporting.surveys._index is 'Position of the survey in genesys.surveys.';
comment on column reporting.surveys.survey_id is 'The survey.';
comment on column reporting.surveys.survey_status is 'State: Sent, Started, Finished, Expired, …';
comment on column reporting.surveys.survey_type is 'Web or Voice.';
comment on column reporting.surveys.event_time is 'When it reached this state.';
comment on column reporting.surveys.completed_at is 'When the customer completed it; null until then.';
comment on column reporting.surveys.survey_form_id is 'Version of the form.';
comment on column reporting.surveys.survey_form_name is 'Name of the form; the one at that time where the present one is unknown, else the id.';
comment on column reporting.surveys.survey_form_context_id is 'Id of the form, whatever its version.';
comment on column reporting.surveys.queue_id is 'Queue of the surveyed part.';
comment on column reporting.surveys.queue_name is 'Name of the queue; the id where the name is unknown.';
comment on column reporting.surveys.user_id is 'Agent whom it is about.';
comment on column reporting.surveys.user_name is 'Name of the agent; the id where the name is unknown.';
comment on column reporting.surveys.total_score is 'Score in percent over all questions.';
comment on column reporting.surveys.promoter_score is 'Answer to the Net Promoter question, 0 to 10: 9 and 10 promote, 0 to 6 detract; null without such a question.';
comment on column reporting.surveys.partial_response is 'Whether required questions were left unanswered.';
