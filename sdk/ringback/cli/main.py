"""The entry point: ``ringback …``, also ``python -m ringback.cli.main …``."""

import sys
from typing import TYPE_CHECKING

from ringback_schemas.errors import RingbackError

if TYPE_CHECKING:
    from collections.abc import Sequence

_VERSION = (["--version"], ["-V"], ["version"])


def main(arguments: "Sequence[str] | None" = None) -> None:
    """Run a command and leave with its exit code."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    if given in _VERSION:
        sys.stdout.write(f"{_version()}\n")
        sys.exit(0)
    # past this point the command line's own libraries are loaded
    from ringback.cli.app import app
    from ringback.cli.exits import Exit

    _check(given)
    try:
        app(args=given, prog_name="ringback")
    except RingbackError as error:
        _explain(error)
    except BaseExceptionGroup as errors:
        ours = _first(errors)
        if not isinstance(ours, RingbackError):
            raise
        _explain(ours)
    except KeyboardInterrupt:
        sys.exit(Exit.INTERRUPTED)


def _version() -> str:
    from importlib.metadata import version

    return f"ringback {version('ringback')}"


def _check(arguments: "Sequence[str]") -> None:
    """Leave if one is no text."""
    from ringback.cli.exits import Exit
    from ringback.cli.texts import fault_in

    fault = fault_in(arguments)
    if fault is not None:
        sys.stderr.write(f"ringback: {fault}\n")
        sys.exit(Exit.USAGE)


def _explain(error: RingbackError) -> None:
    """Say what went wrong in a sentence or two, and leave."""
    from ringback.cli.exits import exit_of
    from ringback.cli.problems import sentences

    for line in sentences(error):
        sys.stderr.write(f"{line}\n")
    sys.exit(exit_of(error))


def _first(errors: BaseExceptionGroup[BaseException]) -> BaseException:
    error: BaseException = errors
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


if __name__ == "__main__":
    main()
