"""Finds tasks in the modules that ``RINGBACK_TASKS`` names. The front end reads names and types, workers run them."""

import importlib
import importlib.util
import os
import sys
import traceback
import zlib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from types import ModuleType

from ringback.task import Task
from ringback_schemas.errors import RingbackError


class TaskModuleError(RingbackError):
    """A task module that is not there, does not import, or holds no tasks; says what, and where."""

    def __init__(self, spec: str, why: str) -> None:
        super().__init__(f"task module {spec!r}: {why}")


class DuplicateTask(RingbackError):
    """Two tasks of one name."""

    def __init__(self, first: Task, second: Task) -> None:
        super().__init__(f"two tasks are called {first.name!r}: {_place(first)} and {_place(second)}")


class Registry(Mapping[str, Task]):
    """Tasks by name."""

    def __init__(self, tasks: Iterable[Task] = ()) -> None:
        """The same task twice is one.

        Raises:
            DuplicateTask: two different ones have one name.
        """
        self._tasks: dict[str, Task] = {}
        for task in tasks:
            known = self._tasks.setdefault(task.name, task)
            if known.function is not task.function:
                raise DuplicateTask(known, task)

    def __getitem__(self, name: str) -> Task:
        return self._tasks[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._tasks)

    def __len__(self) -> int:
        return len(self._tasks)


def load_tasks(specs: str) -> Registry:
    """All tasks in some modules: names (``app.tasks``) and paths of files (``jobs/mail.py``), separated by commas.

    Modules are looked for in the current folder first, as ``python -m`` does; next to a file its own folder is open for
    imports. Importing runs their top level.

    Raises:
        TaskModuleError: one of them gives no tasks.
        DuplicateTask: two different tasks have one name.
    """
    names = [spec.strip() for spec in specs.split(",") if spec.strip()]
    if not names:
        raise TaskModuleError(specs, "names no module")
    return Registry(task for name in names for task in _tasks_in(name))


def _tasks_in(spec: str) -> list[Task]:
    module = _import_file(spec) if _is_path(spec) else _import_name(spec)
    tasks = [value for value in vars(module).values() if isinstance(value, Task)]
    if not tasks:
        raise TaskModuleError(spec, f"no @task in it ({module.__file__ or module.__name__})")
    return tasks


def _is_path(spec: str) -> bool:
    return spec.endswith(".py") or os.sep in spec


def _import_name(spec: str) -> ModuleType:
    folder = str(Path.cwd())
    if folder not in sys.path:
        sys.path.insert(0, folder)
    try:
        return importlib.import_module(spec)
    except ModuleNotFoundError as error:
        if error.name and (spec == error.name or spec.startswith(f"{error.name}.")):
            raise TaskModuleError(
                spec, f"there is no module {error.name!r}; looked in {folder} and sys.path"
            ) from error
        raise TaskModuleError(spec, _what_and_where(error)) from error
    except (Exception, SystemExit) as error:
        raise TaskModuleError(spec, _what_and_where(error)) from error


def _import_file(spec: str) -> ModuleType:
    path = Path(spec).expanduser().resolve()
    if not path.is_file():
        raise TaskModuleError(spec, f"there is no file {path}")
    if str(path.parent) not in sys.path:
        # behind all others: a tasks folder with an `email.py` must not take the place of the standard library's
        sys.path.append(str(path.parent))
    name = _module_name(path)
    if name in sys.modules:
        return sys.modules[name]
    return _execute(spec, name, path)


def _execute(spec: str, name: str, path: Path) -> ModuleType:
    found = importlib.util.spec_from_file_location(name, path)
    if found is None or found.loader is None:
        raise TaskModuleError(spec, "it is no Python file (it should end in .py)")
    module = importlib.util.module_from_spec(found)
    # annotations and pickles find their module by name
    sys.modules[name] = module
    try:
        found.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        del sys.modules[name]
        raise TaskModuleError(spec, _what_and_where(error)) from error
    return module


def _module_name(path: Path) -> str:
    """The file's own name, unless something else is imported by it; then one that nothing else has."""
    try:
        found = importlib.util.find_spec(path.stem)
    except (ImportError, ValueError):
        found = None
    if found is not None and found.origin is not None and Path(found.origin).resolve() == path:
        return path.stem
    return f"{path.stem}_{zlib.crc32(str(path).encode()):08x}"


def _what_and_where(error: BaseException) -> str:
    """Class, message, and the line of the innermost frame outside the import system and installed packages."""
    said = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    if isinstance(error, SyntaxError):
        return f"{type(error).__name__}: {error.msg} ({error.filename}, line {error.lineno})"
    own = Path(__file__).parent
    frames = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if not frame.filename.startswith("<") and own not in Path(frame.filename).parents
    ]
    mine = [frame for frame in frames if "site-packages" not in frame.filename and "importlib" not in frame.filename]
    for frame in (mine or frames)[-1:]:
        return f"{said} ({frame.filename}, line {frame.lineno})"
    return said


def _place(task: Task) -> str:
    code = getattr(task.function, "__code__", None)
    return f"{code.co_filename}, line {code.co_firstlineno}" if code else repr(task.function)
