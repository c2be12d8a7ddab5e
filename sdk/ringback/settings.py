"""Settings: ``RINGBACK_*`` from the environment. docs/settings.md tells of each its unit, default and danger.

Nothing reads them at import; ``load_settings`` is for composition roots, which hand single values on.
"""

import difflib
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, StringConstraints, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict
from pydantic_settings import SettingsError as UnreadableSetting

from ringback.proxy_url import parse_proxy_url
from ringback.secretbox import KEY_FILE, SecretBox, load_or_create_key_file
from ringback_schemas.errors import RingbackError

PREFIX = "RINGBACK_"
DATA_FOLDER = Path("ringback-data")
EMBEDDED = "embedded"

OTHERS = ("URL", "KEY")
"""``RINGBACK_*`` variables that are not settings of a process: where the command line and the client find the API."""

TEST_PREFIX = "RINGBACK_TEST_"

DEFAULT_SCHEDULE = (5.0, 30.0, 120.0, 600.0, 1_800.0, 3_600.0, 10_800.0, 21_600.0, 43_200.0, 86_400.0, 86_400.0)
"""With the one at once 12 attempts in 70.7 h: the receiver may be down from Friday evening to Monday morning."""

_NO_KEYS = (
    f"{PREFIX}ENCRYPTION_KEYS is needed with PostgreSQL: a JSON list of URL-safe base64 of 32 bytes; "
    "`ringback keys encryption` makes one"
)

Seconds = Annotated[float, Field(gt=0, allow_inf_nan=False)]
KeptSeconds = Annotated[float, Field(ge=0, le=100 * 365 * 86_400, allow_inf_nan=False)]
Port = Annotated[int, Field(ge=0, le=65_535)]
Names = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]

_API_KEY = re.compile(r"rbk_[A-Za-z0-9_-]{28,}")
"""The bootstrap key: it may do everything, so neither the one of a sample file nor one that can be guessed will do."""

_NOT_CALLED = "default_factory_not_called"
"""pydantic's word for a default that hangs on a setting which is wrong itself."""

_IN_OUR_WORDS = dict.fromkeys(
    ("ip_v4_network", "ip_v6_network"), "must be a network such as 10.0.0.0/8 or fd00::/8, without bits of a host"
)
"""Types of pydantic's errors whose message says less, or says it once for each branch of a union."""


class SettingsError(RingbackError):
    """Settings that cannot be used: one sentence for each fault, never a value that may be secret."""

    def __init__(self, faults: Iterable[str]) -> None:
        self.faults = tuple(faults)
        super().__init__("; ".join(self.faults))


class Settings(BaseSettings):
    """All settings of a process; immutable."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        frozen=True,
        extra="forbid",
        env_ignore_empty=True,
        hide_input_in_errors=True,
        use_attribute_docstrings=True,
    )

    database_url: SecretStr = SecretStr(f"sqlite:///{DATA_FOLDER}/ringback.db")
    """Where everything is kept: ``postgresql://…`` or ``sqlite:///path``."""
    broker_url: SecretStr = SecretStr(EMBEDDED)
    """``embedded`` for one process, else ``amqp://…`` or ``amqps://…``."""
    host: str = "127.0.0.1"
    port: Port = 8080
    public_url: str = Field(default_factory=lambda given: _own_url(given.get("host", ""), given.get("port", 0)))
    """Base of links in answers and webhooks; from host and port unless given. No slash at its end."""
    encryption_keys: list[SecretStr] = Field(default_factory=list)
    """URL-safe base64 of 32 bytes each, newest first."""
    bootstrap_api_key: SecretStr | None = None
    """A key with all scopes, made at start when the store does not have it."""
    callback_allow: list[IPv4Network | IPv6Network] = Field(default_factory=list)
    """Networks opened beside the public internet."""
    retry_schedule: list[Annotated[float, Field(ge=0, le=31 * 86_400, allow_inf_nan=False)]] = Field(
        default_factory=lambda: list(DEFAULT_SCHEDULE), max_length=1_000
    )
    """Seconds after delivery attempt 1, 2, …; one more attempt than entries."""
    tasks: Names = "ringback.demo"
    """Modules or files with tasks, separated by commas."""
    queues: Names = "default"
    """Queues that workers of this process serve, separated by commas."""
    concurrency: int = Field(default=64, ge=1, le=100_000)
    """Jobs that a worker runs at the same time."""
    delivery_concurrency: int = Field(default=128, ge=1, le=100_000)
    """Webhooks that a notifier sends at the same time, slow ones not counted."""
    lane_concurrency: int = Field(default=16, ge=1, le=100_000)
    """As ``delivery_concurrency``, to one destination while it is new, slow or failing."""
    lane_rate: Annotated[float, Field(gt=0, le=1_000_000, allow_inf_nan=False)] | None = None
    """Webhooks to one destination in any second, by all notifiers together; no limit unless given."""
    fifo_hold_s: Seconds = 3_600.0
    """How long a webhook that fails may hold up those behind it, at an endpoint that takes one at a time."""
    egress_proxy: SecretStr | None = None
    """A forward proxy that all webhooks go through: ``http://[user:password@]host:port``."""
    client_cert: Path | None = None
    """Certificate chain in PEM that webhooks show to receivers which ask for one."""
    client_key: Path | None = None
    """Its key, when that is in a file of its own."""
    ca_file: Path | None = None
    """Authorities in PEM that receivers' certificates may come from, beside the system's."""
    delivery_timeout_s: Seconds = 15.0
    """One webhook, from name look-up to the last byte of the answer."""
    connect_timeout_s: Seconds = 5.0
    disable_after_failures: int = Field(default=20, ge=0, le=1_000_000)
    """An endpoint that failed so often in a row, for ``disable_after_s``, is disabled; 0: none ever is."""
    disable_after_s: float = Field(default=72 * 3_600.0, ge=0, allow_inf_nan=False)
    """Since its last success; of one that never had any, since its first failure."""
    retention_s: KeptSeconds = 2_592_000
    """How long a job is kept once it and its webhooks have ended; 0: for ever."""
    idempotency_ttl_s: KeptSeconds = 604_800
    """How long an idempotency key is kept; 0: for ever."""
    audit_retention_s: KeptSeconds = 31_536_000
    """How long an entry of the audit log is kept; 0: for ever."""
    replay_retention_s: KeptSeconds = 2_592_000
    """How long a replay is kept once it is done or cancelled; 0: for ever."""
    drain_s: float = Field(default=25.0, ge=0, allow_inf_nan=False)
    """How long a stopping process lets what it has in hand finish."""
    heartbeat_s: Seconds = 5.0
    lease_s: Seconds = 15.0
    """Silence after which a process is taken for dead; at least twice ``heartbeat_s``."""
    rescue_every_s: Seconds = 2.0
    poison_after: int = Field(default=3, ge=1, le=1_000)
    """A job that killed so many workers fails; a webhook that killed so many notifiers is given up."""
    poll_s: Seconds = 5.0
    poll_away_s: Seconds = 1.0
    """As ``poll_s``, while the broker is away."""
    queue_type: Literal["quorum", "classic"] = "quorum"
    pool_size: int = Field(default=10, ge=1, le=1_000)
    """Database connections of one process."""
    health_host: str = "127.0.0.1"
    health_port: Port | None = None
    """Where workers and notifiers serve probes and metrics; nowhere unless given."""
    max_body_bytes: int = Field(default=1_048_576, ge=1_024, le=1_073_741_824)
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    log_format: Literal["auto", "json", "console"] = "auto"
    """``auto``: for people on a terminal, JSON elsewhere."""

    @field_validator("database_url")
    @classmethod
    def _known_database(cls, value: SecretStr) -> SecretStr:
        scheme = value.get_secret_value().partition("://")[0].partition("+")[0]
        if scheme not in {"postgresql", "postgres", "sqlite"}:
            raise ValueError("must begin with postgresql:// or sqlite:///")
        return value

    @field_validator("broker_url")
    @classmethod
    def _known_broker(cls, value: SecretStr) -> SecretStr:
        url = value.get_secret_value()
        if url != EMBEDDED and not url.startswith(("amqp://", "amqps://")):
            raise ValueError("must be `embedded`, or begin with amqp:// or amqps://")
        return value

    @field_validator("egress_proxy")
    @classmethod
    def _readable_proxy(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None:
            parse_proxy_url(value.get_secret_value())
        return value

    @field_validator("public_url")
    @classmethod
    def _without_slash(cls, value: str) -> str:
        parts = urlsplit(value)
        if parts.scheme not in {"http", "https"} or not parts.hostname or parts.query or parts.fragment:
            raise ValueError("must look like https://host or https://host/path")
        return value.rstrip("/")

    @field_validator("encryption_keys")
    @classmethod
    def _readable_keys(cls, value: list[SecretStr]) -> list[SecretStr]:
        if value:
            try:
                SecretBox([key.get_secret_value() for key in value])
            except RingbackError as error:
                raise ValueError(str(error)) from error
        return value

    @field_validator("bootstrap_api_key")
    @classmethod
    def _strong_key(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and not _API_KEY.fullmatch(value.get_secret_value()):
            raise ValueError("must be rbk_ and at least 28 random letters, digits, - or _")
        return value

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.lease_s < 2 * self.heartbeat_s:
            raise ValueError(
                f"RINGBACK_LEASE_S ({self.lease_s:g}) must be at least twice RINGBACK_HEARTBEAT_S "
                f"({self.heartbeat_s:g}): one late beat would look like a death"
            )
        if self.client_key is not None and self.client_cert is None:
            raise ValueError("RINGBACK_CLIENT_KEY is of no use without RINGBACK_CLIENT_CERT")
        return self

    @property
    def queue_names(self) -> tuple[str, ...]:
        """``queues``, taken apart; without duplicates."""
        return tuple(dict.fromkeys(name for name in (part.strip() for part in self.queues.split(",")) if name))

    @property
    def is_broker_embedded(self) -> bool:
        """Whether all of Ringback is this one process."""
        return self.broker_url.get_secret_value() == EMBEDDED

    @property
    def is_sqlite(self) -> bool:
        """Whether the store is a file."""
        return self.database_url.get_secret_value().startswith("sqlite")

    @property
    def data_folder(self) -> Path:
        """Where the SQLite file is; with PostgreSQL, where embedded mode puts its key files."""
        if not self.is_sqlite:
            return DATA_FOLDER
        path = self.database_url.get_secret_value().partition(":///")[2].partition("?")[0]
        return Path(path).parent

    def secret_box(self, *, may_create: bool = False) -> SecretBox:
        """What seals secrets in the store: the given keys, else those in the data folder's key file.

        With SQLite, and wherever ``may_create`` (embedded mode), the file is made when it is not there. Other
        processes could not know each other's files, so with PostgreSQL they want the setting.

        Raises:
            SettingsError: there is no key.
            SecretBoxError: the key file cannot be used.
        """
        keys = [key.get_secret_value() for key in self.encryption_keys]
        if not keys:
            if not (may_create or self.is_sqlite):
                raise SettingsError([_NO_KEYS])
            keys = load_or_create_key_file(self.data_folder / KEY_FILE)
        return SecretBox(keys)


def _own_url(host: str, port: int) -> str:
    """Where this process listens; an address that means all of them is no place to send anybody."""
    name = "localhost" if host in {"0.0.0.0", "::", ""} else host
    return f"http://{f'[{name}]' if ':' in name else name}:{port}"


def load_settings(**overrides: Any) -> Settings:
    """The settings in the environment, under those given by name (absent when None).

    Raises:
        SettingsError: some cannot be read, contradict each other, or do not exist.
    """
    given = {name: value for name, value in overrides.items() if value is not None}
    broken = [f"{name}: is not valid UTF-8" for name in sorted(os.environ) if not _is_text(name, os.environ[name])]
    if broken:
        raise SettingsError(broken)
    try:
        settings = Settings(**given)
    except ValidationError as error:
        raise SettingsError([*unknown_settings(os.environ), *_faults(error)]) from error
    except UnreadableSetting as error:
        raise SettingsError([*unknown_settings(os.environ), _unreadable(error)]) from error
    unknown = list(unknown_settings(os.environ))
    if unknown:
        raise SettingsError(unknown)
    return settings


def _is_text(name: str, value: str) -> bool:
    """Bytes that are no UTF-8 come as halves of surrogate pairs (PEP 383)."""
    return not name.startswith(PREFIX) or value.isascii() or value.encode(errors="replace").decode() == value


def unknown_settings(environment: Mapping[str, str]) -> Iterator[str]:
    """A sentence for each ``RINGBACK_*`` variable that is no setting: a slip of the pen must not pass silently."""
    known = [f"{PREFIX}{name.upper()}" for name in Settings.model_fields] + [f"{PREFIX}{name}" for name in OTHERS]
    for name in sorted(environment):
        if name.startswith(PREFIX) and not name.startswith(TEST_PREFIX) and name not in known:
            close = difflib.get_close_matches(name, known, 1)
            yield f"{name} is not a setting" + (f"; did you mean {close[0]}?" if close else "")


def _faults(error: ValidationError) -> list[str]:
    """A sentence for each fault, without those that only follow from another."""
    faults = error.errors(include_url=False, include_context=False, include_input=False)
    sentences = [_fault(fault["loc"], fault["type"], fault["msg"]) for fault in faults if fault["type"] != _NOT_CALLED]
    return list(dict.fromkeys(sentences))


def _fault(location: tuple[int | str, ...], kind: str, message: str) -> str:
    name, *inner = location or ("",)
    said = _IN_OUR_WORDS.get(kind, message.removeprefix("Value error, "))
    where = f"{PREFIX}{str(name).upper()}{''.join(f'[{part}]' for part in inner if isinstance(part, int))}: "
    return (where if name else "") + said


def _unreadable(error: UnreadableSetting) -> str:
    """pydantic-settings names the field in quotes; the value, which may be secret, is not in the text."""
    name = str(error).partition('"')[2].partition('"')[0]
    return f"{PREFIX}{name.upper()}: must be JSON, such as a list in brackets"
