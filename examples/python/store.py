"""What the consumer has done, and what it remembers of it, in one SQLite database.

A result and the memory of its message are one transaction, so that no crash can part them: a record that comes again is
known, or its result is not there. In production this is the database that you have, with the same two tables.
"""

import json
import sqlite3
import time

_TABLES = """
CREATE TABLE IF NOT EXISTS seen (
    source TEXT NOT NULL, key TEXT NOT NULL, at REAL NOT NULL, PRIMARY KEY (source, key)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS seen_at ON seen (at);
CREATE TABLE IF NOT EXISTS registrations (
    source TEXT NOT NULL, key TEXT NOT NULL, type TEXT, received_at TEXT,
    event_id TEXT NOT NULL, registration_id TEXT NOT NULL,
    event_name TEXT, first_name TEXT, last_name TEXT, registration_type TEXT, answer TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS dead_ends (
    source TEXT NOT NULL, key TEXT NOT NULL, type TEXT, reason TEXT NOT NULL,
    topic TEXT NOT NULL, "partition" INTEGER NOT NULL, "offset" INTEGER NOT NULL);
"""


class Store:
    """Used by one thread."""

    def __init__(self, path: str, remember_seconds: float):
        self._remember = remember_seconds
        self._db = sqlite3.connect(path, isolation_level=None)
        # A commit is on the disk when it returns: the offsets are committed after it.
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA synchronous = FULL")
        self._db.executescript(_TABLES)

    def unseen(self, messages: list[tuple[str, str]]) -> set[tuple[str, str]]:
        """Those of the messages, each a source and a key, that have no result."""
        known = "SELECT 1 FROM seen WHERE source = ? AND key = ?"
        return {message for message in messages if not self._db.execute(known, message).fetchone()}

    def keep(self, outcomes: list) -> list:
        """Keeps the outcomes of messages that have none, all of them or nothing, and gives those. Forgets messages that
        are older than is remembered."""
        now = time.time()
        self._db.execute("BEGIN IMMEDIATE")
        try:
            new = [outcome for outcome in outcomes if self._is_new(outcome, now)]
            for outcome in new:
                table, row = _dead_end(outcome) if outcome.registration is None else _result(outcome)
                self._db.execute(f"INSERT INTO {table} VALUES ({', '.join('?' * len(row))})", row)
            self._db.execute("DELETE FROM seen WHERE at < ?", (now - self._remember,))
            self._db.execute("COMMIT")
        except BaseException:
            self._db.execute("ROLLBACK")
            raise
        return new

    def _is_new(self, outcome, now: float) -> bool:
        row = (outcome.source, outcome.key, now)
        return self._db.execute("INSERT OR IGNORE INTO seen VALUES (?, ?, ?)", row).rowcount == 1

    def close(self) -> None:
        self._db.close()


def _dead_end(outcome) -> tuple[str, tuple]:
    return "dead_ends", (outcome.source, outcome.key, outcome.type, outcome.reason, *outcome.place)


def _result(outcome) -> tuple[str, tuple]:
    found = outcome.registration

    def text(*path: str) -> str | None:
        value = found
        for name in path:
            value = value.get(name) if isinstance(value, dict) else None
        return value if isinstance(value, str) else None

    names = text("event_name"), text("contact", "firstName"), text("contact", "lastName"), text("type", "name")
    of_record = outcome.source, outcome.key, outcome.type, outcome.received_at
    row = (*of_record, *outcome.ids, *names, json.dumps(found))
    return "registrations", row
