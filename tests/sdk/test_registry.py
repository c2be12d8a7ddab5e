"""Loading task modules: what is found, and what is said when something is wrong."""

import email
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from ringback.registry import DuplicateTask, TaskModuleError, load_tasks

GOOD = """
from ringback import Job, task

@task("{name}")
async def run(job: Job, payload: dict[str, int]) -> int:
    return 1
"""


@pytest.fixture(autouse=True)
def imports(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Runs in a folder of its own, and forgets what was imported."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    before = set(sys.modules)
    yield
    for name in set(sys.modules) - before:
        if str(tmp_path) in str(getattr(sys.modules[name], "__file__", "")):
            del sys.modules[name]


def write(path: Path, text: str) -> str:
    """Write a module; its path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return str(path)


def test_load_tasks_finds_built_in_tasks() -> None:
    """The default module has what the documentation names."""
    assert set(load_tasks("ringback.demo")) == {"demo.echo", "demo.sleep", "demo.fail", "report.csv", "http.fetch"}


def test_load_tasks_takes_names_and_paths_together(tmp_path: Path) -> None:
    """Modules of the current folder by name, files by path, in one list."""
    write(tmp_path / "h_app" / "__init__.py", "")
    write(tmp_path / "h_app" / "tasks.py", GOOD.format(name="by.name"))
    path = write(tmp_path / "elsewhere" / "h_more.py", GOOD.format(name="by.path"))

    assert set(load_tasks(f"h_app.tasks, {path}")) == {"by.name", "by.path"}


def test_load_tasks_opens_the_folder_of_a_file_for_imports(tmp_path: Path) -> None:
    """A task file may import what lies beside it."""
    write(tmp_path / "jobs" / "h_sibling.py", "NAME = 'from.sibling'\n")
    text = GOOD.format(name="x").replace('"x"', "h_sibling.NAME")
    path = write(tmp_path / "jobs" / "h_main.py", f"import h_sibling\n{text}")

    assert list(load_tasks(path)) == ["from.sibling"]


def test_load_tasks_leaves_the_standard_library_alone(tmp_path: Path) -> None:
    """A task file may be called like a module of the standard library."""
    path = write(tmp_path / "email.py", GOOD.format(name="mail.send"))

    assert list(load_tasks(path)) == ["mail.send"]
    assert sys.modules["email"] is email


def test_load_tasks_gives_the_same_module_twice(tmp_path: Path) -> None:
    """Loading again, as process pools do, does not run the file again."""
    path = write(tmp_path / "h_once.py", GOOD.format(name="once"))

    assert load_tasks(path)["once"] is load_tasks(path)["once"]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("x = 1\ny = z\n", ("NameError: name 'z' is not defined", "line 2")),
        ("import nosuch.thing\n", ("No module named 'nosuch'", "line 1")),
        ("def f(:\n", ("SyntaxError", "line 1")),
        ("import sys\n\nsys.exit(3)\n", ("SystemExit: 3", "line 3")),
        ("from ringback import task\n\n@task('a')\ndef f(job): ...\n", ("this one takes job", "line 3")),
        ("x = 1\n", ("no @task in it",)),
    ],
)
def test_load_tasks_says_what_and_where_when_a_module_is_bad(tmp_path: Path, text: str, told: tuple[str, ...]) -> None:
    """One sentence with the error, the file and the line."""
    path = write(tmp_path / "h_bad.py", text)

    with pytest.raises(TaskModuleError) as refusal:
        load_tasks(path)

    assert all(words in str(refusal.value) for words in (*told, "h_bad.py"))
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize("spec", ["nosuch", "nosuch.deep", "/nosuch/file.py", "", " , "])
def test_load_tasks_says_so_when_there_is_no_such_module(spec: str) -> None:
    """A wrong name is told as that, not as an import error of the module itself."""
    with pytest.raises(TaskModuleError, match=r"there is no|names no module"):
        load_tasks(spec)


def test_load_tasks_refuses_two_tasks_of_one_name(tmp_path: Path) -> None:
    """Which of them would run? Both places are named."""
    first = write(tmp_path / "h_first.py", GOOD.format(name="twin"))
    second = write(tmp_path / "h_second.py", GOOD.format(name="twin"))

    with pytest.raises(DuplicateTask, match=r"h_first.*h_second"):
        load_tasks(f"{first},{second}")


def test_load_tasks_takes_a_task_that_is_imported_elsewhere_as_one(tmp_path: Path) -> None:
    """A package may show the tasks of its modules."""
    write(tmp_path / "h_pack" / "inner.py", GOOD.format(name="same"))
    write(tmp_path / "h_pack" / "__init__.py", "from h_pack.inner import run\n")

    assert list(load_tasks("h_pack,h_pack.inner")) == ["same"]
