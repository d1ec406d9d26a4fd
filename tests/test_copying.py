"""A private copy is written over a lakehouse that nobody needs any more, and is the same."""

import errno
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from types import SimpleNamespace

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from conftest import Platform
from data_platform.lakehouse import copier
from data_platform.lakehouse.copying import copy_database
from data_platform.lakehouse.releases import Releases

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="macOS shares blocks")

DATABASE, SPARE = "lakehouse.duckdb", "spare-lakehouse.duckdb"
LONG = b"a" * (1 << 18) + b"b" * (1 << 18) + b"c"
HOLDER = """import sys
with open(sys.argv[1]) as file:
    print("opened", flush=True)
    sys.stdin.read()
    print(file.read())"""


@pytest.fixture
def place(tmp_path: Path) -> Path:
    for name in ("published", "private"):
        (tmp_path / name).mkdir()
    (tmp_path / "published" / DATABASE).write_bytes(LONG)
    return tmp_path


def copy(place: Path) -> Path:
    """Copy as on a disk that cannot share blocks."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(copier, "_share_blocks", lambda source, target: target.touch())
        copier.copy(place / "published" / DATABASE, place / "private", place / SPARE)
    return place / "private" / DATABASE


# Few different pieces, so that some are the same in both.
CONTENT = st.lists(st.sampled_from([b"aaaa", b"bbbb", b"ab", b"c", b""]), max_size=6).map(b"".join)


@given(new=CONTENT, old=CONTENT)
def test_what_is_written_over_is_the_same(
    new: bytes, old: bytes, tmp_path_factory: pytest.TempPathFactory
) -> None:
    place = tmp_path_factory.mktemp("written-over")
    source, target = place / "source", place / "target"
    source.write_bytes(new)
    target.write_bytes(old)
    with pytest.MonkeyPatch.context() as patch, source.open("rb") as read:
        patch.setattr(copier, "_FIRST", 3)
        patch.setattr(copier, "_PIECE", 4)
        with target.open("rb+") as written:
            copier._make_the_same(read.fileno(), written.fileno())
    assert target.read_bytes() == new


@pytest.mark.parametrize("spare", [LONG[:-1], LONG.replace(b"b", b"d"), LONG * 2, b""])
def test_a_copy_is_made_of_the_spare_file(place: Path, spare: bytes) -> None:
    (place / SPARE).write_bytes(spare)
    (place / SPARE).chmod(0o644)
    number = (place / SPARE).stat().st_ino
    source = place / "published" / DATABASE
    source.chmod(0o600)
    os.utime(source, (1e9, 1e9))
    copied = copy(place)
    assert copied.read_bytes() == LONG
    found = copied.stat()
    assert (found.st_ino, found.st_mode & 0o777, found.st_mtime) == (number, 0o600, 1e9)
    assert not (place / SPARE).exists()


@contextmanager
def open_elsewhere(spare: Path) -> Iterator[None]:
    words = [sys.executable, "-c", HOLDER, str(spare)]
    with subprocess.Popen(
        words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout is not None and holder.stdout.readline() == "opened\n"
        yield
        assert holder.communicate()[0] == "old\n"


@contextmanager
def under_another_name(spare: Path) -> Iterator[None]:
    other = spare.with_name("backup")
    other.hardlink_to(spare)
    yield
    assert other.read_bytes() == b"old"


@contextmanager
def a_link(spare: Path) -> Iterator[None]:
    other = spare.rename(spare.with_name("backup"))
    spare.symlink_to(other)
    yield
    assert other.read_bytes() == b"old"


@pytest.mark.parametrize("held", [open_elsewhere, under_another_name, a_link])
def test_a_file_that_somebody_has_is_not_written_over(
    place: Path, held: Callable[[Path], AbstractContextManager[None]]
) -> None:
    spare = place / SPARE
    spare.write_bytes(b"old")
    number = spare.stat().st_ino
    with held(spare):
        copied = copy(place)
        assert copied.read_bytes() == LONG and copied.stat().st_ino != number
    assert not spare.exists()


def test_a_spare_file_that_cannot_be_used_is_gone_and_no_error(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(read: int, written: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    (place / SPARE).write_bytes(b"old")
    with monkeypatch.context() as patch:
        patch.setattr(copier, "_make_the_same", fail)
        assert copy(place).read_bytes() == LONG
    assert not (place / SPARE).exists()

    (place / SPARE).write_bytes(b"old")
    (place / "private" / DATABASE).unlink()
    with monkeypatch.context() as patch:  # such as NFS, others of whose readers nobody knows
        patch.setattr(copier, "_OF_THIS_MACHINE", set())
        number = (place / SPARE).stat().st_ino
        copied = copy(place)
        assert copied.read_bytes() == LONG and copied.stat().st_ino != number
    assert not (place / SPARE).exists()


def test_what_is_too_large_is_said_so(place: Path) -> None:
    small = f"ulimit -f 100; exec {sys.executable} -P -S {copier.__file__} {place}/published/"
    words = f"{small}{DATABASE} {place}/private {place}/{SPARE}"
    done = subprocess.run(["sh", "-c", words], capture_output=True, text=True)
    assert (done.returncode, done.stderr.strip()) == (1, copier.TOO_LARGE)


def test_a_log_that_was_left_is_copied(place: Path) -> None:
    (place / SPARE).write_bytes(b"old")
    (place / "published" / f"{DATABASE}.wal").write_bytes(b"log")
    copy(place)
    assert (place / "private" / f"{DATABASE}.wal").read_bytes() == b"log"


def test_a_copy_without_a_spare_file_is_made_by_its_own_process(place: Path) -> None:
    copy_database(place / "published" / DATABASE, place / "private")
    assert (place / "private" / DATABASE).read_bytes() == LONG
    assert {path.name for path in (place / "private").iterdir()} == {DATABASE}


def test_who_reads_an_old_release_sees_it_whatever_is_published(
    begun: Platform, tmp_path: Path
) -> None:
    def files() -> dict[int, Path]:
        found = [*begun.data.glob("releases/*/lakehouse/*"), *begun.data.glob("runs/*.duckdb")]
        return {path.stat().st_ino: path for path in found}

    shown = "SELECT SUM(HASH(invoices)) FROM intermediate.invoices"
    before, lakehouse = begun.rows(shown), begun.settings().lakehouse.resolve()
    number = lakehouse.stat().st_ino
    with duckdb.connect(str(lakehouse), read_only=True) as reader:
        for environment in ("one", "two"):
            begun.call("plan", environment)
        assert files()[number] == begun.data / "runs" / SPARE
        begun.call("plan", "three")  # would write over what is read
        assert number not in files()
        assert reader.execute(shown).fetchall() == before
    begun.call("plan", "four")
    number = (begun.data / "runs" / SPARE).stat().st_ino
    begun.call("plan", "five")
    source, target = tmp_path / "source", tmp_path / "target"
    source.touch()
    if not copier._share_blocks(source, target):
        assert begun.settings().lakehouse.stat().st_ino == number
    assert begun.rows(shown) == before


def released(data: Path, number: int) -> None:
    """A release with a lakehouse, in force."""
    place = data / "runs" / f"work-{number}"
    (place / "lakehouse").mkdir(parents=True)
    (place / "lakehouse" / DATABASE).write_bytes(LONG)
    releases = Releases(data)
    (data / "releases").mkdir(exist_ok=True)
    releases.publish(place, number, False, lambda folder: None, lambda: None)


def test_the_lakehouse_of_a_release_that_goes_is_kept_where_there_is_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    releases = Releases(tmp_path)
    for number, free, is_kept in ((1, 9, False), (2, 9, False), (3, 9, False), (4, 1 << 30, True)):
        usage = SimpleNamespace(free=free)
        monkeypatch.setattr(shutil, "disk_usage", lambda _, usage=usage: usage)
        released(tmp_path, number)
        assert releases.spare.exists() == is_kept
    assert {path.name for path in (tmp_path / "releases").iterdir()} == {"3", "4"}
    # A private copy was never made safe on the disk, and is no good.
    releases.spare.unlink()
    (tmp_path / "runs/work-5/lakehouse").mkdir(parents=True)
    (tmp_path / "runs/work-5/lakehouse" / DATABASE).write_bytes(LONG)
    releases.discard(tmp_path / "runs/work-5")
    assert not releases.spare.exists()


def test_a_spare_file_of_a_lakehouse_that_is_elsewhere_by_now_is_removed(tmp_path: Path) -> None:
    released(tmp_path, 1)
    releases = Releases(tmp_path)
    releases.spare.write_bytes(LONG)
    releases.tidy()
    assert releases.spare.exists()
    (tmp_path / "current" / "lakehouse" / DATABASE).unlink()
    releases.tidy()
    assert not releases.spare.exists()
