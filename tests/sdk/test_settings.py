"""Settings: what is read, what is refused, and how it is told."""

import re
from ipaddress import ip_network
from pathlib import Path

import pytest

from ringback.settings import Settings, SettingsError, load_settings

SETTINGS_PAGE = Path(__file__).parents[2] / "docs" / "settings.md"


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No settings but those that a test makes."""
    import os  # noqa: PLC0415 - only here

    for name in [name for name in os.environ if name.startswith("RINGBACK_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


def test_settings_have_defaults_for_one_process() -> None:
    """Without any setting everything runs in one process, over a file."""
    settings = load_settings()

    assert (settings.is_sqlite, settings.is_broker_embedded) == (True, True)
    assert settings.public_url == "http://127.0.0.1:8080"


def test_settings_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lists are JSON."""
    monkeypatch.setenv("RINGBACK_CALLBACK_ALLOW", '["127.0.0.0/8"]')
    monkeypatch.setenv("RINGBACK_RETRY_SCHEDULE", "[1, 2.5]")

    settings = load_settings()

    assert settings.callback_allow == [ip_network("127.0.0.0/8")]
    assert settings.retry_schedule == [1.0, 2.5]


def test_settings_given_by_name_win(monkeypatch: pytest.MonkeyPatch) -> None:
    """Options of a command stand above the environment; those not given do not count."""
    monkeypatch.setenv("RINGBACK_PORT", "1000")
    monkeypatch.setenv("RINGBACK_HOST", "127.0.0.2")

    settings = load_settings(port=2000, host=None)

    assert (settings.host, settings.port) == ("127.0.0.2", 2000)


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("PORT", "abc", "RINGBACK_PORT: "),
        ("RETRY_SCHEDULE", "5,30", "RINGBACK_RETRY_SCHEDULE: must be JSON"),
        ("RETRY_SCHEDULE", "[5, -1]", "RINGBACK_RETRY_SCHEDULE[1]: "),
        ("DATABASE_URL", "mysql://secret@host", "RINGBACK_DATABASE_URL: must begin with postgresql://"),
        ("BROKER_URL", "redis://secret@host", "RINGBACK_BROKER_URL: must be `embedded`"),
        ("PUBLIC_URL", "example.com", "RINGBACK_PUBLIC_URL: must look like"),
        ("ENCRYPTION_KEYS", '["secret"]', "RINGBACK_ENCRYPTION_KEYS: encryption key 1"),
        ("CALLBACK_ALLOW", '["10.0.0.0/99"]', "RINGBACK_CALLBACK_ALLOW[0]: must be a network such as"),
        ("CALLBACK_ALLOW", '["10.0.0.1/8"]', "without bits of a host"),
        ("BOOTSTRAP_API_KEY", "rbk_secret@", "RINGBACK_BOOTSTRAP_API_KEY: must be rbk_ and"),
        ("BOOTSTRAP_API_KEY", "rbk_REPLACE-ME", "RINGBACK_BOOTSTRAP_API_KEY: must be rbk_ and"),
        ("HEARTBEAT_S", "10", "must be at least twice RINGBACK_HEARTBEAT_S"),
        ("CONCURRENCY", "0", "RINGBACK_CONCURRENCY: "),
        ("RETRY_SHEDULE", "[1]", "did you mean RINGBACK_RETRY_SCHEDULE?"),
    ],
)
def test_settings_refuse_what_cannot_be_used(monkeypatch: pytest.MonkeyPatch, name: str, value: str, told: str) -> None:
    """Each fault is one sentence with the variable's name, and never its value when that may be secret."""
    monkeypatch.setenv(f"RINGBACK_{name}", value)

    with pytest.raises(SettingsError) as refusal:
        load_settings()

    assert told in str(refusal.value)
    assert "secret@" not in str(refusal.value)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize("setting", [("PORT", "abc"), ("CALLBACK_ALLOW", '["x"]')])
def test_settings_tell_a_fault_once(monkeypatch: pytest.MonkeyPatch, setting: tuple[str, str]) -> None:
    """Neither what only follows from it nor each branch of a union is a fault of its own."""
    monkeypatch.setenv(f"RINGBACK_{setting[0]}", setting[1])

    with pytest.raises(SettingsError) as refusal:
        load_settings()

    assert len(refusal.value.faults) == 1


def test_settings_never_print_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    """A settings object in a log or a traceback shows no password and no key."""
    monkeypatch.setenv("RINGBACK_DATABASE_URL", "postgresql://user:hunter2@db/ringback")
    monkeypatch.setenv("RINGBACK_BOOTSTRAP_API_KEY", "rbk_hunter2_0123456789abcdefghijklmnop")

    assert "hunter2" not in repr(load_settings())


@pytest.mark.parametrize(
    ("host", "url"),
    [("0.0.0.0", "http://localhost:80"), ("::1", "http://[::1]:80"), ("10.0.0.1", "http://10.0.0.1:80")],
)
def test_settings_make_a_public_url_of_host_and_port(host: str, url: str) -> None:
    """Links work from this machine even when nothing was said; an address that means all is no place to go."""
    assert load_settings(host=host, port=80).public_url == url


def test_settings_take_slashes_off_the_public_url() -> None:
    """Links are made by appending."""
    assert load_settings(public_url="https://jobs.example/ringback/").public_url == "https://jobs.example/ringback"


@pytest.mark.parametrize(
    ("url", "folder"),
    [("sqlite:///a/b.db", "a"), ("sqlite:////var/lib/x.db", "/var/lib"), ("postgresql://db/x", "ringback-data")],
)
def test_settings_know_where_the_data_is(url: str, folder: str) -> None:
    """Key files lie beside the SQLite file, or in the usual folder."""
    assert load_settings(database_url=url).data_folder == Path(folder)


def test_secret_box_makes_a_key_file_with_sqlite(tmp_path: Path) -> None:
    """All processes over one file find the same key beside it."""
    settings = load_settings(database_url=f"sqlite:///{tmp_path}/x/ringback.db")

    sealed = settings.secret_box().seal(b"x")

    assert settings.secret_box().open(sealed) == b"x"
    assert (tmp_path / "x" / "secret.key").exists()


def test_secret_box_wants_keys_with_postgresql() -> None:
    """Processes on several machines cannot share a file: they are told how to get a key."""
    with pytest.raises(SettingsError, match="`ringback keys encryption` makes one"):
        load_settings(database_url="postgresql://db/x").secret_box()


def documented() -> dict[str, tuple[str, str]]:
    """Default and danger of each setting on the page."""
    rows = re.findall(r"^\| `RINGBACK_(\w+)` \|([^|]*)\|([^|]*)\|([^|]*)\|", SETTINGS_PAGE.read_text(), re.MULTILINE)
    return {name.lower(): (default.strip(), danger.strip()) for name, _, default, danger in rows}


def test_settings_page_has_every_setting_and_no_other() -> None:
    """Nobody has to read the code to run it."""
    assert set(documented()) == set(Settings.model_fields)


@pytest.mark.parametrize("name", sorted(Settings.model_fields))
def test_settings_page_tells_the_real_default(name: str) -> None:
    """What the page calls the default is what happens without the setting."""
    told = documented()[name][0].strip("`")
    value = getattr(load_settings(), name)
    shown = value.get_secret_value() if hasattr(value, "get_secret_value") else value
    written = {True: "true", False: "false", None: "none"}.get(shown) if isinstance(shown, bool | None) else None

    if isinstance(shown, list):
        assert told == f"[{', '.join(f'{item:g}' for item in shown)}]"
    elif isinstance(shown, int | float):
        assert float(told) == shown
    else:
        assert told == (written or str(shown))


def test_setting_that_is_no_text_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its value is not shown: it may be a secret."""
    monkeypatch.setenv("RINGBACK_HOST", "caf\udce9")
    monkeypatch.setenv("ELSEWHERE", "caf\udce9")

    with pytest.raises(SettingsError) as refusal:
        load_settings()

    assert str(refusal.value).splitlines()[-1].strip().endswith("RINGBACK_HOST: is not valid UTF-8")
