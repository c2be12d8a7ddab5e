"""What commands that work on the store itself leave in the audit log."""

import json
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

from tests.cli.conftest import Api, Run


def store_of(api: Api) -> dict[str, str]:
    """Where the commands find the service's store."""
    return {"RINGBACK_DATABASE_URL": f"sqlite:///{api.folder}/ringback-data/ringback.db"}


def records(api: Api, target: str, key: str | None = None) -> list[tuple[str, str, dict[str, str]]]:
    """Who did what to it, newest first, as the API tells the tenant of that key."""
    bearer = {"Authorization": f"Bearer {key or api.key}"}
    with urlopen(Request(f"{api.url}/v1/audit?limit=100", headers=bearer), timeout=10) as answer:  # noqa: S310 - http, ours
        items: list[dict[str, Any]] = json.load(answer)["items"]
    return [(item["actor"], item["action"], item["detail"]) for item in items if item["target"] == target]


def test_making_and_revoking_a_key_is_on_record(run: Run, api: Api) -> None:
    """As over the API, but for who did it; the key itself is nowhere in it."""
    made = json.loads(run("keys", "create", "ci", "--scope", "jobs:read", "--json", **store_of(api)).out)
    run("keys", "revoke", made["id"], **store_of(api))

    kept = records(api, made["id"])

    assert kept == [("cli", "key.revoked", {}), ("cli", "key.created", {"scopes": "jobs:read"})]


def test_making_a_tenant_is_on_record(run: Run, api: Api) -> None:
    """With the tenant that administers."""
    tenant = run("tenants", "create", "recorded", **store_of(api)).out.strip()

    assert records(api, tenant) == [("cli", "tenant.created", {})]


def test_key_of_another_tenant_is_on_its_own_record(run: Run, api: Api) -> None:
    """Whoever administers that tenant sees who gave out keys to it; nobody else does."""
    tenant = run("tenants", "create", "theirs", **store_of(api)).out.strip()
    made = json.loads(run("keys", "create", "first", "--tenant", tenant, "--json", **store_of(api)).out)

    assert [entry[:2] for entry in records(api, made["id"], made["key"])] == [("cli", "key.created")]
    assert records(api, made["id"]) == []


def test_store_that_was_never_migrated_is_told_in_words(run: Run, tmp_path: Path) -> None:
    """Whichever command comes upon it first, with SQLite too."""
    ended = run("keys", "list", RINGBACK_DATABASE_URL=f"sqlite:///{tmp_path}/fresh.db")

    assert ended.code != 0
    assert "run `ringback migrate`" in ended.err
