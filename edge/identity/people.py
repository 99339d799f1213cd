"""The people who are enrolled: their names and embeddings, in one SQLite file.

No picture is kept unless asked for. The file is its owner's alone (0600). Every change is one
transaction, so that a process killed at any moment leaves the file as it was before or after; what
is removed is overwritten with zeros, and the file is then written anew without it.
"""

from __future__ import annotations

import base64
import logging
import os
import sqlite3
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

import numpy as np

from edge_fer.errors import InputError, StorageError
from edge_fer.identity import UNKNOWN, Embedding
from edge_fer.limited import Limited

log = logging.getLogger(__name__)

_MIGRATIONS = (
    (
        """CREATE TABLE person (
            id INTEGER PRIMARY KEY,
            name TEXT NOT NULL UNIQUE
        )""",
        """CREATE TABLE look (
            id INTEGER PRIMARY KEY,
            person INTEGER NOT NULL REFERENCES person ON DELETE CASCADE,
            network TEXT NOT NULL,
            added TEXT NOT NULL,
            embedding BLOB NOT NULL,
            picture BLOB
        )""",
        "CREATE INDEX look_of_person ON look (person)",
    ),
)
"""The statements that bring the file from each version (``user_version``) to the next one. Those
that have been released are never changed; a new schema is a new entry."""

_WAIT = 5.0
"""Seconds to wait for another process that is writing."""
_LONGEST = 100


@dataclass(frozen=True)
class Person:
    """Somebody who is enrolled.

    Attributes:
        name: Unique.
        looks: Number of embeddings, by the network that made them.
        added: When the first one was made, ISO 8601.
        pictures: How many pictures are kept.
    """

    name: str
    looks: dict[str, int]
    added: str
    pictures: int


@dataclass(frozen=True, eq=False)
class Gallery:
    """Everybody whom one network knows.

    Likeness to a person is the mean over all pairs of a look and one of theirs. That is the product
    of two means, which must not be brought to length 1: all faces would seem more alike then, and
    a threshold that was set by pairs would let ten times as many strangers pass.

    Attributes:
        names: N people.
        embeddings: The mean of each one's looks, [N, D].
    """

    names: tuple[str, ...]
    embeddings: Embedding

    def most_alike(self, embedding: Embedding) -> tuple[str, float]:
        """The person who is most like an embedding, or the mean of several, and the likeness."""
        if not self.names:
            return UNKNOWN, 0.0
        likeness = self.embeddings @ embedding
        best = int(likeness.argmax())
        return self.names[best], float(likeness[best])


class People:
    """The store.

    Args:
        path: The file; it is made where it is missing.

    Raises:
        InputError: It is another file, or one of a newer edge-fer.
        StorageError: It cannot be opened or written.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
        except OSError as e:
            raise StorageError(f"{path}: the people cannot be stored: {e.strerror}") from e
        with self._errors():
            self._db = sqlite3.connect(path, timeout=_WAIT, isolation_level=None)
        try:
            self._open()
            path.chmod(0o600)  # only now: another program's file stays as it is
        except BaseException:
            self._db.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._db.close()

    def add(
        self,
        name: str,
        network: str,
        embeddings: Sequence[Embedding],
        pictures: Sequence[bytes] | None = None,
    ) -> None:
        """Enrol somebody, or add to what is known of them.

        Args:
            name: Theirs.
            network: What made the embeddings.
            embeddings: One a look.
            pictures: A picture file's bytes for each, to be kept.

        Raises:
            InputError: The name cannot be one.
            StorageError: It cannot be written.
        """
        name, now = checked_name(name), datetime.now(UTC).isoformat(timespec="seconds")
        kept: Sequence[bytes | None] = pictures or [None] * len(embeddings)
        with self._transaction() as db:
            db.execute("INSERT OR IGNORE INTO person (name) VALUES (?)", (name,))
            (person,) = db.execute("SELECT id FROM person WHERE name = ?", (name,)).fetchone()
            db.executemany(
                "INSERT INTO look (person, network, added, embedding, picture)"
                " VALUES (?, ?, ?, ?, ?)",
                [
                    (person, network, now, embedding.astype("<f4").tobytes(), picture)
                    for embedding, picture in zip(embeddings, kept, strict=True)
                ],
            )

    def all(self) -> list[Person]:
        """Everybody, by name."""
        with self._errors():
            rows = self._db.execute(
                "SELECT name, network, count(*), min(added), count(picture)"
                " FROM person JOIN look ON look.person = person.id"
                " GROUP BY name, network ORDER BY name, network"
            ).fetchall()
        found: dict[str, Person] = {}
        for name, network, count, added, pictures in rows:
            before = found.get(name, Person(name, {}, added, 0))
            found[name] = Person(
                name,
                before.looks | {network: count},
                min(before.added, added),
                before.pictures + pictures,
            )
        return list(found.values())

    def rename(self, old: str, new: str) -> None:
        """Give somebody another name.

        Raises:
            InputError: There is no such person, or the other name is taken or cannot be one.
        """
        new = checked_name(new)
        try:
            with self._transaction() as db:
                self._found(
                    old, db.execute("UPDATE person SET name = ? WHERE name = ?", (new, old))
                )
        except sqlite3.IntegrityError as e:
            raise InputError(f"there already is a person named {new!r}") from e

    def remove(self, name: str) -> None:
        """Forget somebody: nothing of their data is left in the file.

        Raises:
            InputError: There is no such person.
        """
        with self._transaction() as db:
            self._found(name, db.execute("DELETE FROM person WHERE name = ?", (name,)))
        with self._errors():
            self._db.execute("VACUUM")

    def export(self, name: str) -> dict[str, Any]:
        """All that is stored of somebody, as plain data.

        Raises:
            InputError: There is no such person.
        """
        with self._errors():
            rows = self._db.execute(
                "SELECT network, added, embedding, picture FROM look JOIN person"
                " ON look.person = person.id WHERE name = ? ORDER BY look.id",
                (name,),
            ).fetchall()
        if not rows:
            raise _nobody(name)
        return {
            "name": name,
            "looks": [
                {
                    "network": network,
                    "added": added,
                    "embedding": np.frombuffer(embedding, "<f4").tolist(),
                    "picture": base64.b64encode(picture).decode() if picture else None,
                }
                for network, added, embedding, picture in rows
            ],
        }

    def gallery(self, network: str) -> Gallery:
        """Everybody of whom this network has made an embedding."""
        with self._errors():
            rows = self._db.execute(
                "SELECT name, embedding FROM look JOIN person ON look.person = person.id"
                " WHERE network = ? ORDER BY name",
                (network,),
            ).fetchall()
        looks: dict[str, list[Embedding]] = {}
        for name, embedding in rows:
            looks.setdefault(name, []).append(np.frombuffer(embedding, "<f4"))
        means = [np.mean(own, axis=0) for own in looks.values()]
        return Gallery(tuple(looks), np.stack(means) if means else np.empty((0, 0), np.float32))

    def watched(self, network: str) -> Callable[[], Gallery]:
        """Gives the gallery: a new object only where another process has changed the file.

        Where it cannot be read the last one stands: a run does not end for it.
        """
        state: tuple[int, Gallery] = (-1, Gallery((), np.empty((0, 0), np.float32)))
        failures = Limited(lambda text: log.warning("%s", text))

        def gallery() -> Gallery:
            nonlocal state
            try:
                with self._errors():
                    (version,) = self._db.execute("PRAGMA data_version").fetchone()
                if version != state[0]:
                    state = version, self.gallery(network)
            except StorageError as e:
                failures.failed("the people were not read again", e)
            return state[1]

        return gallery

    def _open(self) -> None:
        with self._errors():
            for setting in ("secure_delete = ON", "foreign_keys = ON", "synchronous = FULL"):
                self._db.execute(f"PRAGMA {setting}").fetchall()
            # Not a write-ahead log: it would keep what was removed until it is written over.
            self._db.execute("PRAGMA journal_mode = DELETE").fetchall()
        with self._transaction() as db:
            (version,) = db.execute("PRAGMA user_version").fetchone()
            if version > len(_MIGRATIONS):
                raise InputError(f"{self.path} was written by a newer edge-fer; update this one")
            for statement in (s for step in _MIGRATIONS[version:] for s in step):
                db.execute(statement)
            db.execute(f"PRAGMA user_version = {len(_MIGRATIONS)}")

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._errors():
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield self._db
                self._db.execute("COMMIT")
            except BaseException:
                self._db.execute("ROLLBACK")
                raise

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.IntegrityError:
            raise
        except sqlite3.OperationalError as e:
            raise StorageError(f"{self.path}: the people cannot be stored: {e}") from e
        except sqlite3.DatabaseError as e:
            raise InputError(f"{self.path} holds no people of edge-fer, or is damaged: {e}") from e

    def _found(self, name: str, done: sqlite3.Cursor) -> None:
        if not done.rowcount:
            raise _nobody(name)


def default_path() -> Path:
    """Where the people are stored: ``edge-fer/people.db`` in the user's data folder (XDG)."""
    data = os.environ.get("XDG_DATA_HOME", "")
    base = Path(data) if Path(data).is_absolute() else Path.home() / ".local" / "share"
    return base / "edge-fer" / "people.db"


def checked_name(name: str) -> str:
    """The name as it is stored.

    Raises:
        InputError: It is empty, too long, has characters that do not print, or is ``UNKNOWN``.
    """
    name = unicodedata.normalize("NFC", name).strip()
    if not name or len(name) > _LONGEST or not name.isprintable():
        raise InputError(f"{name!r} cannot be a name: 1 to {_LONGEST} characters that print")
    if name.casefold() == UNKNOWN:
        raise InputError(f"nobody can be named {UNKNOWN!r}: those who are not enrolled are")
    return name


def _nobody(name: str) -> InputError:
    return InputError(f"nobody named {name!r} is enrolled; edge-fer people lists who is")
