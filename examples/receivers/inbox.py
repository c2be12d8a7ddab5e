"""The inbox of the receivers in this folder: keeps each event once, in SQLite, and works on them after the answer.

In earnest this is a table of your own database, and a task queue if the work is much.
"""

import json
import sqlite3
import threading
import traceback
from collections.abc import Callable
from contextlib import closing
from typing import Any

TABLE = """
CREATE TABLE IF NOT EXISTS inbox (id TEXT PRIMARY KEY, body BLOB NOT NULL, is_handled INTEGER NOT NULL DEFAULT 0)
"""


class Inbox:
    """Events in a file that one process works on; the one that it dies over is begun again by the next."""

    def __init__(self, path: str, handle: Callable[[Any], None]) -> None:
        """``handle`` gets each event, parsed, in a thread of the inbox; those left over from before come first."""
        self._path = path
        self._handle = handle
        self._arrived = threading.Event()
        self._execute(TABLE)
        threading.Thread(target=self._work, name="inbox", daemon=True).start()

    def add(self, webhook_id: str, body: bytes) -> None:
        """Keep an event, unless it came before. Once this returns it is on disk: answer 2xx now."""
        self._execute("INSERT INTO inbox (id, body) VALUES (?, ?) ON CONFLICT DO NOTHING", webhook_id, body)
        self._arrived.set()

    def _work(self) -> None:
        while True:
            for webhook_id, body in self._execute("SELECT id, body FROM inbox WHERE NOT is_handled ORDER BY rowid"):
                try:
                    self._handle(json.loads(body))
                except Exception:  # noqa: BLE001 - one bad event must not stop the others; it stays, and is tried again
                    traceback.print_exc()
                else:
                    self._execute("UPDATE inbox SET is_handled = 1 WHERE id = ?", webhook_id)
            self._arrived.wait()
            self._arrived.clear()

    def _execute(self, statement: str, *values: object) -> list[Any]:
        with closing(sqlite3.connect(self._path)) as database, database:
            return database.execute(statement, values).fetchall()
