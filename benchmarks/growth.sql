-- $1 finished jobs with everything that is kept of them, numbered from $2; bodies are short, for what grows is the indexes.
-- Each statement is run by itself with both numbers put in.
INSERT INTO jobs (id, tenant_id, type, queue, priority, state, attempt, uncharged, losses, max_attempts, timeout_s,
                  created_at, run_at, started_at, finished_at, is_cancel_requested)
SELECT 'job_0' || lpad(to_hex(n), 25, '0'), :tenant, 'demo.echo', 'default', 0, 'succeeded', 1, 0, 0, 3, 60,
       now() - interval '1 day', now() - interval '1 day', now() - interval '1 day', now() - interval '1 day', false
FROM generate_series(:first, :last) AS n;

INSERT INTO job_requests (tenant_id, job_id, payload, callback_url, callback_events, tags)
SELECT :tenant, 'job_0' || lpad(to_hex(n), 25, '0'), '{}', 'http://127.0.0.1:9/hook', '[]', '[]'
FROM generate_series(:first, :last) AS n;

INSERT INTO job_results (job_id, result)
SELECT 'job_0' || lpad(to_hex(n), 25, '0'), '{}' FROM generate_series(:first, :last) AS n;

INSERT INTO events (id, tenant_id, job_id, type, body, created_at, job_created_at)
SELECT 'evt_0' || lpad(to_hex(n), 25, '0'), :tenant, 'job_0' || lpad(to_hex(n), 25, '0'), 'job.succeeded', '{}',
       now() - interval '1 day', now() - interval '1 day'
FROM generate_series(:first, :last) AS n;

INSERT INTO deliveries (id, tenant_id, destination, state, attempt, tries, claimed_at, finished_at)
SELECT 'dlv_0' || lpad(to_hex(n), 25, '0'), :tenant, 'http://127.0.0.1:9', 'delivered', 1, 1,
       now() - interval '1 day', now() - interval '1 day'
FROM generate_series(:first, :last) AS n;

INSERT INTO delivery_targets (tenant_id, delivery_id, event_id, event_type, job_id, kind, url, created_at)
SELECT :tenant, 'dlv_0' || lpad(to_hex(n), 25, '0'), 'evt_0' || lpad(to_hex(n), 25, '0'), 'job.succeeded',
       'job_0' || lpad(to_hex(n), 25, '0'), 'callback', 'http://127.0.0.1:9/hook', now() - interval '1 day'
FROM generate_series(:first, :last) AS n;

INSERT INTO delivery_attempts (delivery_id, attempt, started_at, total_s, verdict, reason, status, response_prefix)
SELECT 'dlv_0' || lpad(to_hex(n), 25, '0'), 1, now() - interval '1 day', 0.001, 'delivered', 'It was delivered.', 204, ''
FROM generate_series(:first, :last) AS n;
