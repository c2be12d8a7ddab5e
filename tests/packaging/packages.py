"""The five packages and their modules, as they lie in the checkout."""

from pathlib import Path

REPOSITORY = Path(__file__).parents[2]

PACKAGES = {
    "ringback_schemas": REPOSITORY / "schemas",
    "ringback": REPOSITORY / "sdk",
    "ringback_backends": REPOSITORY / "backends",
    "ringback_service": REPOSITORY / "service",
    "ringback_notifier": REPOSITORY / "notifier",
}
"""Each package and the source root it is in."""


def modules() -> list[str]:
    """All our modules by dotted name, sorted; without scripts that Alembic runs by path inside its own context."""
    found = []
    for package, root in PACKAGES.items():
        for path in (root / package).rglob("*.py"):
            parts = path.relative_to(root).with_suffix("").parts
            if "migrations" not in parts:
                found.append(".".join(parts[:-1] if parts[-1] == "__init__" else parts))
    return sorted(found)
