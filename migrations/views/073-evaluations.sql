-- One conversation after the other (offset 0): see 070-wrap-ups.sql.
create or replace view reporting.evaluations as
select c.conversation_id, c.conversation_start, c._loaded_at as updated_at, e._index, e.evaluation_id, e.evaluation_status, e.event_time,
  e.form_id, coalesce(f.name, e.form_name, e.form_id) as form_name, e.context_id, e.queue_id, coalesce(q.name, e.queue_id) as queue_name,
  e.user_id, coalesce(u.name, e.user_id) as user_name, e.evaluator_id, coalesce(v.name, e.evaluator_id) as evaluator_name, e.assignee_id,
  coalesce(a.name, e.assignee_id) as assignee_name, e.calibration_id, e.o_total_score as total_score,
  e.o_total_critical_score as total_critical_score, e.released, e.rescored, e.deleted, e.system_submitted, e.assignee_applicable
from genesys.conversations c
cross join lateral (
  select * from genesys.evaluations e
  where e.conversation_id = c.conversation_id and e.conversation_start = c.conversation_start
  offset 0) e
left join genesys.dim_evaluation_forms f on f.id = e.form_id
left join genesys.dim_queues q on q.id = e.queue_id
left join genesys.dim_users u on u.id = e.user_id
left join genesys.dim_users v on v.id = e.evaluator_id
left join genesys.dim_users a on a.id = e.assignee_id
where c._missing_since is null;

comment on view reporting.evaluations is
  'One row per quality evaluation of a conversation, deleted ones included; they change for weeks after it. Without conversations that Genesys has no more. Leave calibrations out of scores, and count a score when the status is Finished.';
comment on column reporting.evaluations.conversation_id is 'The conversation.';
comment on column reporting.evaluations.conversation_start is 'Its start: the tables are partitioned by its month.';
comment on column reporting.evaluations.updated_at is 'When the conversation was last written, for incremental models.';
comment on column reporting.evaluations._index is 'Position of the evaluation in genesys.evaluations.';
comment on column reporting.evaluations.evaluation_id is 'The evaluation.';
comment on column reporting.evaluations.evaluation_status is 'State: Pending, InProgress, InReview, Finished, Retracted.';
comment on column reporting.evaluations.event_time is 'When it reached this state.';
comment on column reporting.evaluations.form_id is 'Version of the form.';
comment on column reporting.evaluations.form_name is 'Name of the form; the one at that time where the present one is unknown, else the id.';
comment on column reporting.evaluations.context_id is 'Id of the form, whatever its version.';
comment on column reporting.evaluations.queue_id is 'Queue of the evaluated part.';
comment on column reporting.evaluations.queue_name is 'Name of the queue; the id where the name is unknown.';
comment on column reporting.evaluations.user_id is 'Agent who was evaluated.';
comment on column reporting.evaluations.user_name is 'Name of the agent; the id where the name is unknown.';
comment on column reporting.evaluations.evaluator_id is 'User who evaluates.';
comment on column reporting.evaluations.evaluator_name is 'Name of the evaluator; the id where the name is unknown.';
comment on column reporting.evaluations.assignee_id is 'User to whom it is assigned.';
comment on column reporting.evaluations.assignee_name is 'Name of the assignee; the id where the name is unknown.';
comment on column reporting.evaluations.calibration_id is 'Calibration (training of evaluators) that it belongs to; null for most.';
comment on column reporting.evaluations.total_score is 'Score in percent over all questions.';
comment on column reporting.evaluations.total_critical_score is 'Score in percent over the critical questions.';
comment on column reporting.evaluations.released is 'Whether the agent may see it.';
comment on column reporting.evaluations.rescored is 'Whether the scores were changed after the first time.';
comment on column reporting.evaluations.deleted is 'Whether it has been deleted.';
comment on column reporting.evaluations.system_submitted is 'Whether the system filled it in by itself.';
comment on column reporting.evaluations.assignee_applicable is 'False where it needs no one to be assigned.';
