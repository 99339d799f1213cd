"""The store of those who are enrolled."""

import os
import random
import signal
import sqlite3
import stat
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_fer.errors import InputError, StorageError
from edge_fer.identity import UNKNOWN, unit
from edge_fer.identity.people import People, checked_name, default_path

NETWORK = "net 1"


def look(seed):
    return unit(np.random.default_rng(seed).normal(size=128))


@pytest.fixture
def file(tmp_path):
    return tmp_path / "folder" / "people.db"


@pytest.fixture
def people(file):
    with People(file) as people:
        yield people


def test_only_its_owner_can_read_the_file(people, file):
    people.add("Ann", NETWORK, [look(1)])
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700


def test_a_file_that_others_could_read_is_closed_to_them(people, file):
    file.chmod(0o644)
    People(file).__exit__()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_what_is_stored_comes_back(people):
    people.add("Ann", NETWORK, [look(1), look(2)], [b"one", b"two"])
    people.add("Ann", "other 1", [look(3)])
    (ann,) = people.all()
    assert (ann.name, ann.looks, ann.pictures) == ("Ann", {NETWORK: 2, "other 1": 1}, 2)
    looks = people.export("Ann")["looks"]
    assert [row["network"] for row in looks] == [NETWORK, NETWORK, "other 1"]
    assert np.array_equal(np.float32(looks[2]["embedding"]), look(3))
    assert looks[0]["picture"] == "b25l"
    assert looks[2]["picture"] is None


def test_no_picture_is_stored_unless_given(people, file):
    people.add("Ann", NETWORK, [look(1)])
    assert people.all()[0].pictures == 0
    assert b"JFIF" not in file.read_bytes()


def test_the_most_alike_is_found_among_those_of_one_network(people):
    people.add("Ann", NETWORK, [look(1), look(2)])
    people.add("Bob", NETWORK, [look(3)])
    people.add("Cem", "other 1", [look(4)])
    gallery = people.gallery(NETWORK)
    assert gallery.names == ("Ann", "Bob")
    probe = unit(look(1) + look(2))
    name, likeness = gallery.most_alike(probe)
    assert name == "Ann"
    assert likeness == pytest.approx(np.mean([probe @ look(1), probe @ look(2)]))
    assert gallery.most_alike(look(4))[1] < 0.5
    assert people.gallery("nothing").most_alike(look(1)) == (UNKNOWN, 0.0)


def test_a_gallery_that_is_watched_changes_with_the_file(people, file):
    people.add("Ann", NETWORK, [look(1)])
    watched = people.watched(NETWORK)
    before = watched()
    assert watched() is before
    with People(file) as other:
        other.add("Bob", NETWORK, [look(2)])
    assert watched().names == ("Ann", "Bob")


def test_a_run_goes_on_where_the_file_cannot_be_read_any_more(people, monkeypatch):
    people.add("Ann", NETWORK, [look(1)])
    watched = people.watched(NETWORK)
    before = watched()
    monkeypatch.setattr(people, "_db", _Broken())
    assert watched() is before


class _Broken:
    def execute(self, *_):
        raise sqlite3.OperationalError("disk I/O error")

    def close(self):
        pass


def _bytes_around(file):
    return b"".join(path.read_bytes() for path in file.parent.iterdir())


def test_who_is_removed_is_gone_from_the_disk(people, file):
    for n in range(40):
        people.add(f"Person number {n}", NETWORK, [look(n), look(100 + n)], [b"face%d" % n] * 2)
    gone, kept = look(17).astype("<f4").tobytes(), look(18).astype("<f4").tobytes()
    assert gone in _bytes_around(file)
    people.remove("Person number 17")
    left = _bytes_around(file)
    assert gone not in left
    # Not even a part of it, nor the name, nor the picture.
    assert not any(gone[i : i + 8] in left for i in range(0, len(gone), 8))
    assert b"number 17" not in left
    assert b"face17" not in left
    assert kept in left
    assert len(people.all()) == 39


def test_an_old_name_is_gone_from_the_disk(people, file):
    people.add("Annabel", NETWORK, [look(1)])
    people.rename("Annabel", "Bo")
    assert b"Annabel" not in _bytes_around(file)
    assert [person.name for person in people.all()] == ["Bo"]


@pytest.mark.parametrize("action", ["remove", "export"])
def test_who_is_not_enrolled_cannot_be(people, action):
    with pytest.raises(InputError, match="nobody named 'Zoe'"):
        getattr(people, action)("Zoe")


def test_names_are_unique(people):
    people.add("Ann", NETWORK, [look(1)])
    people.add("Bob", NETWORK, [look(2)])
    with pytest.raises(InputError, match="already is"):
        people.rename("Ann", "Bob")
    with pytest.raises(InputError, match="nobody"):
        people.rename("Zoe", "Zoé")
    assert [person.name for person in people.all()] == ["Ann", "Bob"]


@pytest.mark.parametrize("name", ["", "  ", "unknown", "Unknown", "a\nb", "x" * 101])
def test_what_cannot_be_a_name(people, name):
    with pytest.raises(InputError, match=r"name"):
        people.add(name, NETWORK, [look(1)])
    assert people.all() == []


def test_one_name_has_one_spelling():
    assert checked_name("Zoe\u0301 ") == "Zo\u00e9"


NAMES = st.sampled_from(["Ann", "Bob", "Zoë", "O'Neil; DROP TABLE person", "李"])
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("add"), NAMES, st.integers(1, 3)),
        st.tuples(st.just("rename"), NAMES, NAMES),
        st.tuples(st.just("remove"), NAMES, st.none()),
    ),
    max_size=12,
)


@given(steps=STEPS)
def test_it_holds_what_a_dict_would(tmp_path_factory, steps):
    file = tmp_path_factory.mktemp("people") / "people.db"
    wanted = {}
    for action, name, more in steps:
        with People(file) as people:  # opened anew each time, as the command does
            try:
                if action == "add":
                    people.add(name, NETWORK, [look(i) for i in range(more)])
                    wanted[name] = wanted.get(name, 0) + more
                elif action == "rename":
                    people.rename(name, more)
                    assert name in wanted
                    wanted[more] = wanted.pop(name)
                else:
                    people.remove(name)
                    del wanted[name]
            except InputError:
                assert name not in wanted or (action == "rename" and more in wanted)
    with People(file) as people:
        assert {p.name: p.looks[NETWORK] for p in people.all()} == wanted


WRITER = """
import sys
from pathlib import Path
import numpy as np
from edge_fer.identity.people import People
people = People(Path(sys.argv[1]))
print("ready", flush=True)
rng = np.random.default_rng()
while True:
    name = f"Person {rng.integers(6)}"
    people.add(name, "net 1", list(rng.normal(size=(2, 128)).astype("f4")))
    if rng.random() < 0.5:
        people.remove(name)
"""


def test_a_writer_that_is_killed_leaves_the_file_whole(file):
    rng = random.Random(0)
    for _ in range(12):
        with subprocess.Popen(
            [sys.executable, "-c", WRITER, str(file)], stdout=subprocess.PIPE
        ) as process:
            assert process.stdout.readline() == b"ready\n"
            time.sleep(rng.uniform(0, 0.1))
            os.kill(process.pid, signal.SIGKILL)
        with sqlite3.connect(file) as db:
            assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
            assert db.execute("PRAGMA foreign_key_check").fetchall() == []
        db.close()
        with People(file) as people:
            # Looks come two at a time: half of an enrolment is never seen.
            assert all(person.looks[NETWORK] % 2 == 0 for person in people.all())


def test_two_processes_can_write(people, file):
    with People(file) as other:
        people.add("Ann", NETWORK, [look(1)])
        other.add("Bob", NETWORK, [look(2)])
        people.remove("Bob")
        assert [person.name for person in other.all()] == ["Ann"]


def test_another_file_is_refused_and_left_as_it_is(tmp_path):
    file = tmp_path / "notes.txt"
    file.write_text("no database " * 100)
    file.chmod(0o644)
    with pytest.raises(InputError, match="holds no people"):
        People(file)
    assert file.read_text() == "no database " * 100
    assert stat.S_IMODE(file.stat().st_mode) == 0o644


def test_a_file_of_a_newer_version_is_refused(people, file):
    with sqlite3.connect(file) as db:
        db.execute("PRAGMA user_version = 99")
    db.close()
    with pytest.raises(InputError, match="newer"):
        People(file)


def test_an_older_file_is_brought_up_to_date(people, file, monkeypatch):
    from edge_fer.identity import people as module

    people.add("Ann", NETWORK, [look(1)])
    more = ("ALTER TABLE person ADD COLUMN note TEXT", "UPDATE person SET note = 'old'")
    monkeypatch.setattr(module, "_MIGRATIONS", (*module._MIGRATIONS, more))
    with People(file) as newer:
        assert [person.name for person in newer.all()] == ["Ann"]
    with sqlite3.connect(file) as db:
        assert db.execute("SELECT note FROM person").fetchall() == [("old",)]
    db.close()


def test_a_migration_that_fails_changes_nothing(people, file, monkeypatch):
    from edge_fer.identity import people as module

    people.add("Ann", NETWORK, [look(1)])
    more = ("ALTER TABLE person ADD COLUMN note TEXT", "THIS IS NO SQL")
    monkeypatch.setattr(module, "_MIGRATIONS", (*module._MIGRATIONS, more))
    with pytest.raises(StorageError, match="syntax"):
        People(file)
    with sqlite3.connect(file) as db:
        assert "note" not in [row[1] for row in db.execute("PRAGMA table_info(person)")]
        assert db.execute("PRAGMA user_version").fetchone() == (1,)
    db.close()


def test_a_place_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(StorageError, match="cannot be stored"):
        People(tmp_path / "file" / "people.db")


def test_the_file_lies_in_the_user_s_data_folder(monkeypatch):
    monkeypatch.setenv("XDG_DATA_HOME", "/data")
    assert default_path() == Path("/data/edge-fer/people.db")
    monkeypatch.setenv("XDG_DATA_HOME", "relative")
    monkeypatch.setenv("HOME", "/home/ann")
    assert default_path() == Path("/home/ann/.local/share/edge-fer/people.db")
