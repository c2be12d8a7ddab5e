"""The layers' contracts in pyproject.toml bite: each illegal import is refused by the contract that is about it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

CONFIGURATION = Path(__file__).parents[2] / "pyproject.toml"

MODULES = (
    "ringback_schemas.jobs",
    "ringback.task",
    "ringback.cli.main",
    "ringback.embedded",
    "ringback_backends.batcher",
    "ringback_backends.composing",
    "ringback_backends.contracts.store",
    "ringback_backends.sql.store",
    "ringback_backends.rabbitmq.broker",
    "ringback_backends.inprocess.broker",
    "ringback_service.main_api",
    "ringback_service.main_worker",
    "ringback_service.worker.pool",
    "ringback_notifier.main",
    "ringback_notifier.lanes",
)

ILLEGAL = (
    ("ringback_schemas.jobs", "ringback.task", "layers"),
    ("ringback.task", "ringback_backends.batcher", "layers"),
    ("ringback.task", "ringback_service.worker", "layers"),
    ("ringback_backends.batcher", "ringback_service.main_api", "layers"),
    ("ringback_service.worker.pool", "ringback_notifier.lanes", "layers"),
    ("ringback_notifier.lanes", "ringback_service.worker.pool", "layers"),
    ("ringback.task", "ringback.cli.main", "cli"),
    ("ringback_service.worker.pool", "ringback.cli", "cli"),
    ("ringback_service.main_api", "ringback.embedded", "embedded"),
    ("ringback_service.worker.pool", "ringback_backends.sql.store", "composition"),
    ("ringback_notifier.lanes", "ringback_backends.rabbitmq", "composition"),
    ("ringback_backends.batcher", "ringback_backends.inprocess", "composition"),
    ("ringback_service.worker.pool", "ringback_backends.composing", "composing"),
    ("ringback_service.main_api", "sqlalchemy", "drivers"),
    ("ringback.cli.main", "aio_pika", "drivers"),
    ("ringback_backends.batcher", "asyncpg", "drivers"),
    ("ringback_backends.sql.store", "ringback_backends.rabbitmq.broker", "back-ends-apart"),
    ("ringback_backends.contracts.store", "ringback_backends.batcher", "contracts"),
    ("ringback_backends.contracts.store", "ringback.task", "contracts"),
)

LEGAL = (
    ("ringback.cli.main", "ringback.embedded"),
    ("ringback.embedded", "ringback_backends.sql.store"),
    ("ringback.embedded", "ringback_notifier.lanes"),
    ("ringback_service.main_api", "ringback_backends.rabbitmq.broker"),
    ("ringback_service.main_worker", "ringback_backends.composing"),
    ("ringback_backends.composing", "ringback_backends.rabbitmq.broker"),
    ("ringback_service.worker.pool", "ringback_backends.contracts.store"),
    ("ringback_backends.sql.store", "sqlalchemy"),
    ("ringback_backends.contracts.store", "ringback_schemas.jobs"),
)


def plant(folder: Path, module: str, imported: str = "") -> None:
    """Write a module with its packages; one that imports something else when told so."""
    path = folder.joinpath(*module.split(".")).with_suffix(".py")
    path.parent.mkdir(parents=True, exist_ok=True)
    for package in [path.parent, *path.parent.parents]:
        if package == folder:
            break
        (package / "__init__.py").touch()
    path.write_text(f"import {imported}\n" if imported else "")


def lint(folder: Path, contract: str = "") -> subprocess.CompletedProcess[str]:
    """Run import-linter with our contracts, or one of them, over the modules in a folder."""
    command = [str(Path(sys.executable).with_name("lint-imports")), "--no-cache", "--config", str(CONFIGURATION)]
    chosen = ["--contract", contract] if contract else []
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(folder), "LANG": "C.UTF-8"}
    return subprocess.run([*command, *chosen], cwd=folder, env=environment, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(("importer", "imported", "contract"), ILLEGAL)
def test_layers_refuse_when_an_import_is_illegal(tmp_path: Path, importer: str, imported: str, contract: str) -> None:
    """The one contract that is about such an import is broken by it."""
    for module in MODULES:
        plant(tmp_path, module)
    plant(tmp_path, importer, imported)

    outcome = lint(tmp_path, contract)

    assert outcome.returncode == 1, outcome.stdout + outcome.stderr
    assert "0 kept, 1 broken" in outcome.stdout


def test_layers_allow_what_composition_needs(tmp_path: Path) -> None:
    """All contracts hold over imports that the design asks for."""
    for module in MODULES:
        plant(tmp_path, module)
    for importer, imported in LEGAL:
        plant(tmp_path, importer, imported)

    outcome = lint(tmp_path)

    assert outcome.returncode == 0, outcome.stdout + outcome.stderr
