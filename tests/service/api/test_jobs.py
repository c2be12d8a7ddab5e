"""Reading jobs: the resource, its result, and why it waits."""

import orjson
import pytest

from ringback_schemas.documents import INLINE_RESULT_BYTES
from ringback_schemas.http import JobBody
from ringback_schemas.job_errors import JobError, JobErrorCode
from ringback_schemas.states import JobState
from tests.conformance.store.making import retried
from tests.service.api.conftest import PUBLIC_URL, Api

UNKNOWN = "job_01kb3v4r6de0qv8t3kq1x1m9za"
FAILED = JobError(JobErrorCode.HANDLER_ERROR, "it broke", "ValueError", "Traceback: secret").to_bytes()


async def test_job_that_waits_is_shown_with_200(api: Api) -> None:
    """The state is in the body; the status only says that the job is known."""
    job = await api.submit()

    reply = await api.call("GET", f"/v1/jobs/{job['id']}")

    assert reply.status == 200
    assert (reply.headers["Cache-Control"], reply.headers["Retry-After"]) == ("no-store", "1")
    assert JobBody.model_validate(reply.body).state is JobState.QUEUED


async def test_job_that_succeeded_carries_its_result(api: Api) -> None:
    """A small result is in the resource; a finished job may be cached for a little."""
    job = await api.submit()
    await api.finish(job["id"], result=b'{"sum":6}')

    reply = await api.call("GET", f"/v1/jobs/{job['id']}")

    assert (reply.body["state"], reply.body["done"], reply.body["result"]) == ("succeeded", True, {"sum": 6})
    assert reply.body["result_inline"] is True
    assert "Retry-After" not in reply.headers
    assert reply.headers["Cache-Control"].startswith("private")


async def test_job_that_failed_says_why_without_its_traceback(api: Api) -> None:
    """Clients get the error, not the inside of the task."""
    job = await api.submit()
    await api.finish(job["id"], JobState.FAILED, error=FAILED)

    reply = await api.call("GET", f"/v1/jobs/{job['id']}")

    assert reply.status == 200
    assert reply.body["error"] == {"code": "handler-error", "message": "it broke", "exception": "ValueError"}


async def test_job_that_waits_for_its_next_attempt_says_why_the_last_one_failed(api: Api) -> None:
    """Nobody has to wait for the last attempt to learn what is wrong; once the next one runs, the old error is past."""
    job = await api.submit()
    for message in ("first", "second"):
        claimed = await api.claim(job["id"])
        error = JobError(JobErrorCode.HANDLER_ERROR, message, "ValueError", "Traceback: secret").to_bytes()
        await api.store.finish_jobs([retried(claimed, error=error)])

    waiting = (await api.call("GET", f"/v1/jobs/{job['id']}")).body
    await api.claim(job["id"])
    running = (await api.call("GET", f"/v1/jobs/{job['id']}")).body

    told = {"code": "handler-error", "message": "second", "exception": "ValueError"}
    assert (waiting["state"], waiting["done"], waiting["error"]) == ("retrying", False, told)
    assert (running["state"], running["error"]) == ("running", None)


async def test_job_with_a_great_result_links_to_it(api: Api) -> None:
    """What is too large for a webhook is behind the link."""
    job = await api.submit()
    await api.finish(job["id"], result=orjson.dumps("x" * INLINE_RESULT_BYTES))

    shown = (await api.call("GET", f"/v1/jobs/{job['id']}")).body
    result = await api.call("GET", f"/v1/jobs/{job['id']}/result")

    assert (shown["result"], shown["result_inline"]) == (None, False)
    assert shown["links"]["result"] == f"{PUBLIC_URL}/v1/jobs/{job['id']}/result"
    assert result.body == "x" * INLINE_RESULT_BYTES


async def test_job_is_not_sent_again_to_whom_has_it(api: Api) -> None:
    """The ETag of the answer makes the next one a 304."""
    job = await api.submit()
    first = await api.call("GET", f"/v1/jobs/{job['id']}")

    second = await api.call("GET", f"/v1/jobs/{job['id']}", headers={"If-None-Match": first.headers["ETag"]})
    await api.finish(job["id"], result=b"1")
    third = await api.call("GET", f"/v1/jobs/{job['id']}", headers={"If-None-Match": first.headers["ETag"]})

    assert (second.status, third.status) == (304, 200)


async def test_job_that_succeeded_redirects_only_when_asked(api: Api) -> None:
    """``?redirect=1`` is for clients that follow the pattern to the letter."""
    job = await api.submit()
    await api.finish(job["id"], result=b"1")

    reply = await api.call("GET", f"/v1/jobs/{job['id']}?redirect=1", allow_redirects=False)

    assert (reply.status, reply.headers["Location"]) == (303, f"{PUBLIC_URL}/v1/jobs/{job['id']}/result")


async def test_result_is_not_ready_before_the_end(api: Api) -> None:
    """A 404 that says when to ask again."""
    job = await api.submit()

    reply = await api.call("GET", f"/v1/jobs/{job['id']}/result")

    assert reply.problem == (404, "result-not-ready")
    assert reply.headers["Retry-After"] == "1"


async def test_result_of_a_failed_job_is_a_conflict(api: Api) -> None:
    """There will never be one."""
    job = await api.submit()
    await api.finish(job["id"], JobState.FAILED, error=FAILED)

    reply = await api.call("GET", f"/v1/jobs/{job['id']}/result")

    assert reply.problem == (409, "result-of-failed-job")


async def test_result_is_the_bytes_that_the_task_gave(api: Api) -> None:
    """Not parsed, not rounded, not reordered."""
    job = await api.submit()
    await api.finish(job["id"], result=b'{"b":1,"a":12345678901234567890123}')

    async with api.client.get(
        f"/v1/jobs/{job['id']}/result", headers={"Authorization": "Bearer rbk_of_the_tests"}
    ) as response:
        raw = await response.read()

    assert raw == b'{"b":1,"a":12345678901234567890123}'


@pytest.mark.parametrize("suffix", ["", "/result", "/deliveries"])
@pytest.mark.parametrize("job_id", [UNKNOWN, "nonsense", "dlv_01kb3v4r6de0qv8t3kq1x1m9za", "job_%00", "..%2f"])
async def test_id_of_no_job_is_a_404(api: Api, job_id: str, suffix: str) -> None:
    """Unknown and impossible ids look alike."""
    reply = await api.call("GET", f"/v1/jobs/{job_id}{suffix}")

    assert reply.status == 404
    assert reply.problem[1] in {"job-not-found", "not-found"}


@pytest.mark.parametrize("suffix", ["", "/result", "/deliveries"])
async def test_job_of_another_tenant_is_a_404(api: Api, suffix: str) -> None:
    """Nobody learns that it exists."""
    job = await api.submit()

    reply = await api.call("GET", f"/v1/jobs/{job['id']}{suffix}", key=await api.stranger())

    assert reply.problem == (404, "job-not-found")


async def test_job_that_nobody_serves_says_so(api: Api) -> None:
    """Without a worker, the reason is that there is none."""
    job = await api.submit()

    shown = (await api.call("GET", f"/v1/jobs/{job['id']}")).body

    assert shown["waiting_reason"] == "no worker is running that serves queue default"


async def test_job_that_a_live_worker_serves_has_no_reason(api: Api) -> None:
    """It waits for its turn, and that is no fault."""
    first = await api.submit()
    await api.claim(first["id"])
    second = await api.submit()

    shown = (await api.call("GET", f"/v1/jobs/{second['id']}")).body

    assert shown["waiting_reason"] is None


async def test_task_types_are_listed_with_their_schemas(api: Api) -> None:
    """Enough for a client to build a form."""
    reply = await api.call("GET", "/v1/task-types")

    echo, order = reply.body["items"]
    assert (echo["name"], echo["description"]) == ("test.echo", "Give back what was given.")
    assert (order["queue"], order["timeout_s"], order["max_attempts"]) == ("orders", 7, 2)
    assert order["payload_schema"]["properties"]["rows"]["items"] == {"type": "integer"}
    assert order["result_schema"] == {"type": "integer"}
