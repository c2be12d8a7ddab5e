"""The wheel has everything in it, and works in an empty environment far from the checkout."""

import os
import re
import subprocess
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.packaging.packages import PACKAGES, REPOSITORY

pytestmark = pytest.mark.timeout(600)  # an empty environment may have to be filled from the network


@dataclass(frozen=True, slots=True)
class Installation:
    """An environment with the wheel in it and nothing of the checkout."""

    folder: Path

    def run(self, program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run one of its programs, in its folder, with a bare environment."""
        environment = {"PATH": os.defpath, "HOME": str(self.folder), "LANG": "C.UTF-8"}
        environment["RINGBACK_DATABASE_URL"] = f"sqlite:///{self.folder}/ringback.db"
        command = [str(self.folder / "env" / "bin" / program), *arguments]
        return subprocess.run(
            command, cwd=self.folder, env=environment, capture_output=True, text=True, check=False, timeout=60
        )


def run_here(*command: str | Path) -> None:
    """Run a build tool of this environment; its output is in the failure."""
    program = Path(sys.executable).with_name(str(command[0]))
    environment = {name: value for name, value in os.environ.items() if name not in {"VIRTUAL_ENV", "PYTHONPATH"}}
    outcome = subprocess.run(
        [program, *command[1:]], cwd=REPOSITORY, env=environment, capture_output=True, text=True, check=False
    )
    assert outcome.returncode == 0, f"{outcome.stdout}\n{outcome.stderr}"


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from the checkout."""
    folder = tmp_path_factory.mktemp("dist")
    run_here("hatchling", "build", "-t", "wheel", "-d", folder)
    return next(folder.glob("*.whl"))


@pytest.fixture(scope="module")
def installation(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Installation:
    """The wheel in an environment of its own, its dependencies in the versions that the lock names.

    Installed by what made our own environment: where pip reaches an index by its settings, uv need not, and so on.
    """
    folder = tmp_path_factory.mktemp("installed")
    pins = re.findall(r"^[\w.-]+==[^\s;]+", (REPOSITORY / "requirements.lock").read_text(), re.MULTILINE)
    (folder / "pins.txt").write_text("\n".join(pins))
    python = folder / "env" / "bin" / "python"
    if Path(sys.executable).with_name("pip").exists():
        run_here("python", "-m", "venv", folder / "env")
        run_here("pip", "--python", python, "install", "--quiet", "--constraint", folder / "pins.txt", wheel)
    else:
        run_here("uv", "venv", "--python", sys.executable, folder / "env")
        run_here("uv", "pip", "install", "--python", python, "--constraint", folder / "pins.txt", wheel)
    return Installation(folder)


def test_wheel_holds_five_packages_and_nothing_else(wheel: Path) -> None:
    """Nothing called ``tests`` or ``service`` lands in anybody's site-packages."""
    with zipfile.ZipFile(wheel) as archive:
        top = {name.split("/")[0] for name in archive.namelist()}

    assert {name for name in top if not name.endswith(".dist-info")} == set(PACKAGES)


def test_wheel_holds_every_file_of_the_packages(wheel: Path) -> None:
    """Sub-packages, migrations and ``py.typed`` are there: it is not a list that works only in development."""
    with zipfile.ZipFile(wheel) as archive:
        packed = {name for name in archive.namelist() if ".dist-info/" not in name}
    lying = {
        path.relative_to(root).as_posix()
        for package, root in PACKAGES.items()
        for path in (root / package).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }

    assert packed == lying


def test_wheel_names_its_licence(wheel: Path) -> None:
    """The SPDX name is in the metadata, the text beside it."""
    with zipfile.ZipFile(wheel) as archive:
        metadata = next(name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        assert "License-Expression: MIT" in archive.read(metadata).decode()
        assert any(name.endswith("licenses/LICENSE") for name in archive.namelist())


@pytest.mark.parametrize("package", PACKAGES)
def test_package_imports_when_installed(installation: Installation, package: str) -> None:
    """Each package comes from the environment, not from the checkout."""
    outcome = installation.run("python", "-I", "-W", "error", "-c", f"import {package}; print({package}.__file__)")

    assert outcome.stdout.startswith(str(installation.folder)), outcome.stderr


def test_ringback_help_works_when_installed(installation: Installation) -> None:
    """The command is there and knows its sub-commands."""
    outcome = installation.run("ringback", "--help")

    assert outcome.returncode == 0, outcome.stderr
    assert {"serve", "api", "worker", "notifier", "migrate"} <= set(re.findall(r"\w+", outcome.stdout))


def test_ringback_migrate_works_when_installed(installation: Installation) -> None:
    """The migrations are in the wheel, where Alembic finds them."""
    outcome = installation.run("ringback", "migrate")

    assert outcome.returncode == 0, outcome.stdout + outcome.stderr
    assert (installation.folder / "ringback.db").exists()
