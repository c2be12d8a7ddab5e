"""Exit codes, the same for all commands; docs/cli.md explains them."""

from enum import IntEnum

from ringback_schemas.errors import RingbackError


class Exit(IntEnum):
    """What became of a command."""

    DONE = 0
    BAD = 1
    """The thing asked about is bad: the job failed, a webhook is missing."""
    USAGE = 2
    NOT_FOUND = 3
    NOT_ALLOWED = 4
    UNREACHABLE = 5
    """Server, store or broker; or its port or file is taken: trying again may help."""
    WAITED = 6
    """Waited long enough."""
    CONFLICT = 7
    """Refused by the state that something is in."""
    UNCLEAN = 8
    """Drained uncleanly: unfinished work is done elsewhere, or at the next start."""
    CONFIGURATION = 78
    """Do not restart before it is mended."""
    INTERRUPTED = 130


def exit_of(error: RingbackError) -> Exit:
    """The exit code for an error that ended a command."""
    from ringback.client import ApiUnreachable, ProblemError, StillReplaying, StillRunning
    from ringback_backends.contracts.errors import BrokerUnavailable, StoreTaken, StoreUnavailable
    from ringback_backends.health import HealthPortTaken
    from ringback_schemas.ids import InvalidId
    from ringback_service.api.server import CannotListen

    match error:
        case ProblemError():
            return _exit_of_problem(error.status)
        case InvalidId():
            return Exit.USAGE
        case StillRunning() | StillReplaying():
            return Exit.WAITED
        case (
            ApiUnreachable()
            | StoreUnavailable()
            | BrokerUnavailable()
            | CannotListen()
            | HealthPortTaken()
            | StoreTaken()
        ):
            return Exit.UNREACHABLE
        case _ if isinstance(error, _configuration()):
            return Exit.CONFIGURATION
        case _:
            return Exit.BAD


def _configuration() -> tuple[type[RingbackError], ...]:
    from ringback.definition import TaskDefinitionError
    from ringback.registry import DuplicateTask, TaskModuleError
    from ringback.secretbox import SecretBoxError
    from ringback.settings import SettingsError
    from ringback_backends.contracts.errors import BrokerMisfit, SchemaMismatch
    from ringback_backends.sql import InvalidDatabaseUrl

    return (
        SettingsError,
        TaskModuleError,
        TaskDefinitionError,
        DuplicateTask,
        SecretBoxError,
        SchemaMismatch,
        InvalidDatabaseUrl,
        BrokerMisfit,
    )


def _exit_of_problem(status: int) -> Exit:
    match status:
        case 404 | 410:
            return Exit.NOT_FOUND
        case 401 | 403:
            return Exit.NOT_ALLOWED
        case 409:
            return Exit.CONFLICT
        case 429 | 502 | 503 | 504:
            return Exit.UNREACHABLE
        case _ if 400 <= status < 500:  # noqa: PLR2004 - the client's own mistakes
            return Exit.USAGE
        case _:
            return Exit.BAD
