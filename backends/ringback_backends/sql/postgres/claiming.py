"""What the statements that claim have in common: to be relaxed, what a claim makes of a row, and what it answers.

A claim is committed without waiting for the disk (``relaxed``): if the database's machine crashes before it gets there,
the row is ready again and handed out once more, which at-least-once allows, and the first holder's result is fenced.
"""

RELAXED = """relaxed AS MATERIALIZED (
    SELECT set_config('synchronous_commit', 'off', true)
)"""


def take_jobs(*places: str) -> str:
    """The step ``claimed``: the jobs in ``picked`` become those of $1. Keeps these columns of it, to order by."""
    return f"""claimed AS (
    UPDATE jobs j
    SET state = 'running', owner = $1, attempt = j.attempt + 1, started_at = now()
    FROM picked p CROSS JOIN relaxed
    WHERE j.id = p.id
    RETURNING {_kept(places)}j.id, j.tenant_id, j.type, j.queue, j.priority, j.state, j.attempt, j.uncharged, j.losses,
              j.max_attempts, j.timeout_s, j.created_at, j.run_at, j.expires_at, j.started_at, j.finished_at, j.owner,
              j.is_cancel_requested
)"""  # noqa: S608 - our own words


# rows for ``rows.claimed_job``
CLAIMED_JOBS = """\
SELECT c.id, c.tenant_id, c.type, c.queue, c.priority, c.state, c.attempt, c.uncharged, c.losses, c.max_attempts,
       c.timeout_s, c.created_at, c.run_at, c.expires_at, c.started_at, c.finished_at, c.owner, c.is_cancel_requested,
       r.callback_url, r.callback_events, r.tags, r.payload
FROM claimed c
JOIN job_requests r ON r.tenant_id = c.tenant_id AND r.job_id = c.id"""


def take_deliveries(*places: str) -> str:
    """As ``take_jobs``."""
    return f"""claimed AS (
    UPDATE deliveries d
    SET state = 'sending', owner = $1, attempt = d.attempt + 1, claimed_at = now(), waits_for = NULL
    FROM picked p CROSS JOIN relaxed
    WHERE d.id = p.id
    RETURNING {_kept(places)}d.id, d.tenant_id, d.destination, d.state, d.attempt, d.tries, d.next_attempt_at,
              d.finished_at, d.owner
)"""  # noqa: S608 - our own words


# rows for ``rows.claimed_delivery``
CLAIMED_DELIVERIES = """\
SELECT c.id, c.tenant_id, t.event_id, t.event_type, t.job_id, t.kind, t.endpoint_id, t.url, c.destination, c.state,
       c.attempt, c.tries, t.created_at, c.next_attempt_at, c.finished_at, c.owner, e.body, e.job_created_at
FROM claimed c
JOIN delivery_targets t ON t.tenant_id = c.tenant_id AND t.delivery_id = c.id
JOIN events e ON e.id = t.event_id"""


def _kept(places: tuple[str, ...]) -> str:
    return "".join(f"p.{place}, " for place in places)
