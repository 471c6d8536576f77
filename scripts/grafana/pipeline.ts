/** The dashboard “Pipeline health”: the metrics of genesys-etl. Pure. */
import { chart, grid, promql, promqlNow, stat, type Dashboard, type Threshold } from './dashboard.ts'
import { prometheusVariable } from './variables.ts'

const UP_OR_DOWN: readonly Threshold[] = [
  ['red', null],
  ['green', 1],
]
const FROM_ONE: readonly Threshold[] = [
  ['green', null],
  ['red', 1],
]
const HISTORY_LAG: readonly Threshold[] = [
  ['green', null],
  ['orange', 93_600],
  ['red', 129_600],
]
const SNAPSHOT_AGE: readonly Threshold[] = [
  ['green', null],
  ['orange', 180],
  ['red', 600],
]

export const pipeline: Dashboard = {
  uid: 'genesys-pipeline',
  title: 'Genesys: pipeline health',
  description: 'Whether genesys-etl does its work: jobs, requests, loads, live snapshots and reporting rows.',
  from: 'now-24h',
  refresh: '1m',
  variables: [prometheusVariable],
  rows: [
    {
      height: 4,
      panels: [
        [
          4,
          stat(
            {
              title: 'Database',
              description: 'Whether the database answered the last scrape.',
              source: promqlNow(['min(genesys_etl_database_up)', 'Database']),
            },
            { thresholds: UP_OR_DOWN, texts: { '0': 'away', '1': 'up' } },
          ),
        ],
        [
          4,
          stat(
            {
              title: 'Alerts',
              description: 'Alerts that are firing; the chart below names them.',
              source: promqlNow(['sum(genesys_etl_alert_active) or vector(0)', 'Alerts']),
            },
            { thresholds: FROM_ONE },
          ),
        ],
        [
          4,
          stat(
            {
              title: 'History lag',
              description: 'Age of the instant up to which conversations are loaded without a gap. A day is normal.',
              source: promqlNow(['max(genesys_etl_watermark_lag_seconds{stream="conversations"})', 'Lag']),
            },
            { unit: 's', thresholds: HISTORY_LAG },
          ),
        ],
        [
          4,
          stat(
            {
              title: 'Missing in the history',
              description: 'Time within the closed days of the history that is not loaded.',
              source: promqlNow(['max(genesys_etl_history_missing_seconds)', 'Missing']),
            },
            { unit: 's', thresholds: FROM_ONE },
          ),
        ],
        [
          4,
          stat(
            {
              title: 'Live snapshot',
              description: 'Age of the newest complete live snapshot.',
              source: promqlNow(['min(genesys_etl_live_snapshot_age_seconds)', 'Age']),
            },
            { unit: 's', thresholds: SNAPSHOT_AGE },
          ),
        ],
        [
          4,
          stat(
            {
              title: 'Differences from Genesys',
              description:
                "Figures of the last quarter that differ from Genesys' own aggregates for no expected cause; see “When numbers differ” in docs/operations.md.",
              source: promqlNow(['max(genesys_etl_reconciliation_differences{cause="unexpected"})', 'Differences']),
            },
            { thresholds: FROM_ONE },
          ),
        ],
      ],
    },
    {
      height: 8,
      panels: [
        [
          12,
          chart(
            {
              title: 'Since the last success of each job',
              description: 'A line that keeps rising belongs to a job that fails or does not run.',
              source: promql(['time() - max by (job) (genesys_etl_last_success_timestamp_seconds)', '{{job}}']),
            },
            { unit: 's' },
          ),
        ],
        [
          12,
          chart(
            {
              title: 'Failures in a row',
              description: 'Failed runs (for live: failed snapshots) since the last success of each job.',
              source: promql(['max by (job) (genesys_etl_failures_in_a_row)', '{{job}}']),
            },
            { unit: 'none' },
          ),
        ],
      ],
    },
    {
      height: 8,
      panels: [
        [
          12,
          chart(
            {
              title: 'Jobs that are running',
              description: '1 while a job is running; “stuck” where a run has shown no progress for too long.',
              source: promql(
                ['max by (job) (genesys_etl_job_running)', '{{job}}'],
                ['max by (job) (genesys_etl_job_stuck) > 0', '{{job}} (stuck)'],
              ),
            },
            { unit: 'none', max: 1 },
          ),
        ],
        [
          12,
          chart(
            {
              title: 'Alerts and skipped ticks',
              description: 'Alerts that are firing, and ticks that were skipped because the job was still running.',
              source: promql(
                ['max by (condition) (genesys_etl_alert_active)', '{{condition}}'],
                ['sum by (job) (increase(genesys_etl_ticks_skipped_total[1h])) > 0', 'skipped: {{job}}'],
              ),
            },
            { unit: 'none' },
          ),
        ],
      ],
    },
    {
      height: 8,
      panels: [
        [
          12,
          chart(
            {
              title: 'Requests to Genesys per minute',
              description: 'Attempts by class of the answer, and the retries among them by reason.',
              source: promql(
                ['60 * sum by (status_class) (rate(genesys_etl_requests_total[$__rate_interval]))', '{{status_class}}'],
                [
                  '60 * sum by (reason) (rate(genesys_etl_request_retries_total[$__rate_interval]))',
                  'retry: {{reason}}',
                ],
              ),
            },
            { unit: 'none' },
          ),
        ],
        [
          12,
          chart(
            {
              title: 'Request budget',
              description: 'Requests of the last minute by purpose, those that wait, and the limit.',
              source: promql(
                ['sum by (for) (genesys_etl_request_budget_used)', '{{for}}'],
                ['sum(genesys_etl_requests_waiting)', 'waiting'],
                ['max(genesys_etl_request_budget_limit)', 'limit'],
              ),
            },
            { unit: 'none' },
          ),
        ],
      ],
    },
    {
      height: 8,
      panels: [
        [
          12,
          chart(
            {
              title: 'Response times of Genesys',
              description: 'Median and 95th percentile of all attempts, to the last byte.',
              source: promql(
                [
                  'histogram_quantile(0.5, sum by (le) (rate(genesys_etl_request_duration_seconds_bucket[$__rate_interval])))',
                  'median',
                ],
                [
                  'histogram_quantile(0.95, sum by (le) (rate(genesys_etl_request_duration_seconds_bucket[$__rate_interval])))',
                  '95th percentile',
                ],
              ),
            },
            { unit: 's' },
          ),
        ],
        [
          12,
          chart(
            {
              title: 'Waiting imposed by 429 responses',
              description: 'Seconds of waiting per hour, by endpoint.',
              source: promql([
                'sum by (endpoint) (increase(genesys_etl_rate_limited_seconds_total[1h]))',
                '{{endpoint}}',
              ]),
            },
            { unit: 's' },
          ),
        ],
      ],
    },
    {
      height: 8,
      panels: [
        [
          12,
          chart(
            {
              title: 'Conversations loaded per minute',
              description:
                'Records by outcome: inserted, changed, unchanged, stale (older than what is stored) or rejected.',
              source: promql([
                '60 * sum by (outcome) (rate(genesys_etl_rows_total{table="conversations"}[$__rate_interval]))',
                '{{outcome}}',
              ]),
            },
            { unit: 'none', isStacked: true },
          ),
        ],
        [
          12,
          chart(
            {
              title: 'Windows that are not done, and rejected records',
              description: 'Windows of the ledger by status, without the done ones; records that could not be stored.',
              source: promql(
                ['max by (state) (genesys_etl_windows{state!="done"})', '{{state}}'],
                ['max(genesys_etl_rejected_records)', 'rejected records'],
              ),
            },
            { unit: 'none' },
          ),
        ],
      ],
    },
    {
      height: 8,
      panels: [
        [
          12,
          chart(
            {
              title: 'Live snapshots',
              description: 'Age and duration of the newest complete snapshot.',
              source: promql(
                ['min(genesys_etl_live_snapshot_age_seconds)', 'age'],
                ['max(genesys_etl_live_snapshot_duration_seconds)', 'duration'],
              ),
            },
            { unit: 's' },
          ),
        ],
        [
          12,
          chart(
            {
              title: 'Open conversations',
              description: 'By state, as of the newest live snapshot.',
              source: promql(['max by (state) (genesys_etl_live_conversations)', '{{state}}']),
            },
            { unit: 'none', isStacked: true },
          ),
        ],
      ],
    },
    {
      height: 8,
      panels: [
        [
          8,
          chart(
            {
              title: 'Reporting rows',
              description:
                'Part of the loaded conversations whose reporting rows are derived; less than 1 while an older history is being filled.',
              source: promql(['min(genesys_etl_reporting_filled_ratio)', 'derived']),
            },
            { unit: 'percentunit', max: 1 },
          ),
        ],
        [
          8,
          chart(
            {
              title: 'Reporting backlog',
              description: 'Hours whose intervals are yet to be added up, and conversations to derive again.',
              source: promql(
                ['max(genesys_etl_reporting_dirty_hours)', 'hours'],
                ['max(genesys_etl_reporting_stale_conversations)', 'conversations'],
              ),
            },
            { unit: 'none' },
          ),
        ],
        [
          8,
          chart(
            {
              title: 'Conversations that are not final',
              description: 'Open ones, open ones too old to be read again, and ended ones whose last read is overdue.',
              source: promql(
                ['max(genesys_etl_history_open_conversations)', 'open'],
                ['max(genesys_etl_history_stuck_conversations)', 'stuck'],
                ['max(genesys_etl_history_settle_overdue_conversations)', 'overdue'],
              ),
            },
            { unit: 'none' },
          ),
        ],
      ],
    },
    {
      height: 8,
      panels: [
        [
          8,
          chart(
            {
              title: 'Webhook messages',
              description: 'Pending messages to WEBHOOK_URL, and those abandoned during the last day.',
              source: promql(
                ['max(genesys_etl_webhook_messages_pending)', 'pending'],
                ['max(genesys_etl_webhook_messages_given_up)', 'abandoned'],
              ),
            },
            { unit: 'none' },
          ),
        ],
        [
          8,
          chart(
            {
              title: 'Memory',
              description: 'Resident memory of the process, and its heap.',
              source: promql(
                ['max(process_resident_memory_bytes and on (instance) genesys_etl_build_info)', 'resident'],
                ['max(nodejs_heap_size_used_bytes and on (instance) genesys_etl_build_info)', 'heap'],
              ),
            },
            { unit: 'bytes' },
          ),
        ],
        [
          8,
          grid({
            title: 'Lists of reference data that could not be read',
            description: 'Empty when all is well; `doctor` says which permission is missing.',
            source: promqlNow(['max by (list) (genesys_etl_reference_read_failed) > 0', '{{list}}']),
          }),
        ],
      ],
    },
  ],
}
