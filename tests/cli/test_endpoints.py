"""Commands about endpoints, their secrets, and tenants."""

import asyncio
import json
from pathlib import Path

import pytest

from ringback.cli.exits import Exit
from ringback.cli.showing import show_endpoint
from ringback_schemas.http import EndpointBody
from tests.answers import Answer
from tests.cli.conftest import Api, Run
from tests.receiver import Receiver

URL = "https://93.184.215.14/hook"
UNKNOWN = "end_01kb3v4r6de0qv8t3kq1x1m9za"


def create(run: Run, *arguments: str, url: str = URL) -> str:
    """Register an endpoint; its id."""
    made: str = json.loads(run("endpoints", "create", url, *arguments, "--json").out)["id"]
    return made


def test_endpoints_create_takes_every_option(run: Run, tmp_path: Path) -> None:
    """A value that is a credential comes from a file, and is not shown."""
    (tmp_path / "token").write_text("Bearer hush\n")
    given = ("--event", "job.*", "--event", "endpoint.test", "--description", "ours", "--rate", "5", "--fifo")
    more = ("--max-in-flight", "2", "--timeout", "3", "--format", "cloudevents", "--signing", "v1a", "--no-consent")
    headers = ("--header", f"Authorization=@{tmp_path}/token", "--header", "X-Team=blue")

    made = json.loads(run("endpoints", "create", URL, *given, *more, *headers, "--json").out)

    assert made["headers"] == {"authorization": "***", "x-team": "blue"}
    assert (made["events"], made["description"]) == (["job.*", "endpoint.test"], "ours")
    assert (made["rate_limit_per_s"], made["max_in_flight"], made["timeout_s"]) == (5, 2, 3)
    assert (made["body_format"], made["signing"], made["is_fifo"]) == ("cloudevents", "v1a", True)


def test_endpoints_are_shown_to_people(run: Run) -> None:
    """A table of all, and the fields of one."""
    endpoint = create(run, "--event", "job.failed")

    listed = run("endpoints", "list").out
    shown = run("endpoints", "show", endpoint).out

    assert endpoint in listed
    assert "job.failed" in listed
    assert f"url       {URL}" in shown.replace("url          ", "url       ")


def test_endpoints_list_is_json_for_programs(run: Run) -> None:
    """Newest first."""
    older, newer = create(run), create(run)

    items = json.loads(run("endpoints", "list", "--limit", "2", "--json").out)["items"]

    assert [item["id"] for item in items] == [newer, older]


def test_endpoint_with_unreadable_headers_says_so(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    """Or it would look like one that has none."""
    endpoint = EndpointBody.model_validate_json(run("endpoints", "show", create(run), "--json").out)

    show_endpoint(endpoint.model_copy(update={"has_unreadable_headers": True}))

    assert "cannot be decrypted" in capsys.readouterr().out


def test_endpoints_update_changes_what_is_given(run: Run) -> None:
    """The rest stays, and what is unset goes back to the default."""
    endpoint = create(run, "--rate", "5", "--timeout", "3")

    changed = run("endpoints", "update", endpoint, "--description", "new", "--unset", "rate_limit_per_s", "--json")

    body = json.loads(changed.out)
    assert (body["description"], body["rate_limit_per_s"], body["timeout_s"], body["url"]) == ("new", None, 3, URL)


def test_endpoints_disable_and_enable(run: Run) -> None:
    """Each answer says how it is now."""
    endpoint = create(run)

    disabled = run("endpoints", "disable", endpoint).out
    enabled = run("endpoints", "enable", endpoint).out

    assert "disabled: requested" in disabled
    assert "disabled" not in enabled


def test_endpoints_delete_forgets_it(run: Run) -> None:
    """A second time there is no such thing."""
    endpoint = create(run)

    assert [run("endpoints", "delete", endpoint).code for _ in range(2)] == [Exit.DONE, Exit.NOT_FOUND]


async def test_endpoints_test_shows_the_attempt(run: Run) -> None:
    """As soon as there is one."""
    async with Receiver() as receiver:
        endpoint = await asyncio.to_thread(create, run, url=receiver.url())
        outcome = await asyncio.to_thread(run, "endpoints", "test", endpoint)

    assert outcome.code == Exit.DONE
    assert "delivered" in outcome.out
    assert receiver.requests[0].json()["type"] == "endpoint.test"


async def test_endpoints_test_fails_when_the_receiver_does(run: Run) -> None:
    """A script can rely on the exit code."""
    async with Receiver() as receiver:
        receiver.always(Answer(500))
        endpoint = await asyncio.to_thread(create, run, url=receiver.url())
        outcome = await asyncio.to_thread(run, "endpoints", "test", endpoint, "--json")

    assert outcome.code == Exit.BAD
    assert json.loads(outcome.out)["attempts"][0]["status"] == 500


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (("endpoints", "create", "http://10.0.0.1/"), Exit.USAGE, "/url"),
        (("endpoints", "create", URL, "--event", "no spaces"), Exit.USAGE, "/events/0"),
        (("endpoints", "create", URL, "--header", "Host=x"), Exit.USAGE, "/headers/Host"),
        (("endpoints", "create", URL, "--header", "Host"), Exit.USAGE, "has no value"),
        (("endpoints", "create", URL, "--header", "X=@/nosuch/file"), Exit.USAGE, "No such file"),
        (("endpoints", "create", URL, "--signing", "v2"), Exit.USAGE, "v1, v1a"),
        (("endpoints", "update", UNKNOWN), Exit.USAGE, "say what to change"),
        (("endpoints", "update", UNKNOWN, "--unset", "url"), Exit.USAGE, "rate_limit_per_s"),
        (("endpoints", "show", UNKNOWN), Exit.NOT_FOUND, UNKNOWN),
        (("endpoints", "show", "nonsense"), Exit.USAGE, "an id looks like end_"),
        (("secrets", "show", UNKNOWN), Exit.NOT_FOUND, UNKNOWN),
        (("secrets", "rotate", "--overlap", "soon"), Exit.USAGE, "24h"),
        (("secrets", "rotate", "--overlap", "8d"), Exit.USAGE, "/overlap_s"),
    ],
)
def test_exit_codes_of_endpoints_and_secrets(run: Run, arguments: tuple[str, ...], code: Exit, told: str) -> None:
    """As of all commands; the message says what is wrong, and where."""
    outcome = run(*arguments)

    assert outcome.code == code
    assert told in outcome.err
    assert "Traceback" not in outcome.err


def test_exit_is_7_when_a_disabled_endpoint_is_tested(run: Run) -> None:
    """The state refuses."""
    endpoint = create(run)
    run("endpoints", "disable", endpoint)

    assert run("endpoints", "test", endpoint).code == Exit.CONFLICT


def test_secrets_rotate_keeps_the_old_one_for_a_while(run: Run) -> None:
    """The new one first; the old one ends when the overlap does."""
    endpoint = create(run)
    (old,) = json.loads(run("secrets", "show", endpoint, "--json").out)["secrets"]

    new, kept = json.loads(run("secrets", "rotate", endpoint, "--overlap", "24h", "--json").out)["secrets"]

    assert kept["secret"] == old["secret"] != new["secret"]
    assert (new["expires_at"], kept["expires_at"] is None) == (None, False)


def test_secrets_rotate_takes_one_along_from_a_file(run: Run, tmp_path: Path) -> None:
    """Never from the command line, which everybody on the machine can read."""
    (tmp_path / "secret").write_text("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n")
    endpoint = create(run)

    shown = run("secrets", "rotate", endpoint, "--overlap", "0", "--secret-file", f"{tmp_path}/secret").out

    assert "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw" in shown


def test_secrets_show_only_the_public_half_of_a_key_pair(run: Run) -> None:
    """Nobody but the service ever has the private one."""
    shown = run("secrets", "show", create(run, "--signing", "v1a")).out

    assert "whpk_" in shown
    assert "whsk_" not in shown


def test_secrets_show_those_of_callbacks_without_an_id(run: Run) -> None:
    """They are the tenant's."""
    (live,) = json.loads(run("secrets", "show", "--json").out)["secrets"]

    assert live["secret"] in run("secrets", "show").out


def test_tenants_can_be_made_and_given_a_key(run: Run, api: Api) -> None:
    """Straight on the store; the key then works, and sees its own tenant only."""
    store = {"RINGBACK_DATABASE_URL": f"sqlite:///{api.folder}/ringback-data/ringback.db"}
    create(run)

    tenant = run("tenants", "create", "other", **store).out.strip()
    key = json.loads(run("keys", "create", "theirs", "--tenant", tenant, "--json", **store).out)["key"]
    listed = run("tenants", "list", **store).out
    seen = json.loads(run("endpoints", "list", "--json", RINGBACK_KEY=key).out)

    assert tenant in listed
    assert seen == {"items": []}
