"""A disk that fills up and a folder that nothing can be written to: an error, and nothing lost."""

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from conftest import SCALE, Platform, begin
from faults import differences, state

DAY = ["--scale", str(SCALE), "--as-of", "2024-03-01"]
LARGE = 100 << 20


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Platform]:
    """A platform on a file system of its own, which `resize` makes full or read-only."""
    place = tmp_path / "small"
    place.mkdir()
    words = ["mount", "-t", "tmpfs", "-o", f"size={LARGE}", "tmpfs", str(place)]
    try:
        done = subprocess.run(words, capture_output=True, text=True)
    except FileNotFoundError:
        pytest.skip("there is no mount on this system")
    if done.returncode:
        pytest.skip(f"no small file system can be had: {done.stderr.strip()}")
    try:
        platform = Platform(place / "data")
        begin(platform)
        yield platform
    finally:
        subprocess.run(["umount", "--lazy", str(place)], check=True)


def remount(platform: Platform, options: str) -> None:
    place = str(platform.data.parent)
    subprocess.run(["mount", "-o", f"remount,{options}", place], check=True)


def used(platform: Platform) -> int:
    done = subprocess.run(
        ["df", "--output=used", "--block-size=1", str(platform.data)],
        capture_output=True,
        text=True,
        check=True,
    )
    return int(done.stdout.split()[-1])


def assert_a_run_fails_in_one_line(platform: Platform, message: str) -> None:
    before = state(platform.data)
    done = platform.call("run", options=DAY, check=False)
    assert done.returncode == 1
    errors = [line for line in done.stderr.splitlines() if not line.startswith("Warning: ")]
    assert len(errors) == 1, done.stderr
    assert re.search(message, errors[0]), errors[0]
    assert differences(state(platform.data), before) == []
    assert not list((platform.data / "runs").glob("work*"))


def assert_a_load_succeeds(platform: Platform) -> None:
    platform.call("extract", "load", options=DAY)
    latest = "SELECT MAX(as_of) FROM sources.platform__extracts"
    assert platform.rows(latest)[0][0].month == 3


def test_a_full_disk_is_an_error_and_changes_nothing(small: Platform) -> None:
    lakehouse = small.settings().lakehouse.stat().st_size
    for more in (1 << 16, lakehouse // 2, lakehouse + (1 << 20)):
        remount(small, f"size={used(small) + more}")
        assert_a_run_fails_in_one_line(small, "(?i)no space left")
    remount(small, f"size={LARGE}")
    assert_a_load_succeeds(small)


@pytest.mark.slow(reason="a run for each size of the disk; one size is tried each time")
def test_a_disk_that_is_full_at_any_point_of_a_run_is_an_error_and_changes_nothing(
    small: Platform,
) -> None:
    start, attempts = used(small), 0
    while True:
        remount(small, f"size={start + attempts * (1 << 18)}")
        done = small.call("run", options=DAY, check=False)
        if done.returncode == 0:
            break
        assert "o space left" in done.stderr, done.stderr
        assert not list((small.data / "runs").glob("work*"))
        assert small.rows("SELECT as_of_date FROM intermediate.as_of")[0][0].month == 2
        attempts += 1
    print(f"{attempts} runs failed")
    assert attempts > 5
    remount(small, f"size={LARGE}")
    assert_a_load_succeeds(small)


def test_a_read_only_folder_is_an_error_and_can_be_read(small: Platform) -> None:
    remount(small, "ro")
    assert_a_run_fails_in_one_line(small, "cannot write to the folder .*/data: it is read-only")
    assert "2024-02-29" in small.call("query", "FROM intermediate.as_of", "--format", "csv").stdout
    assert "Release 1" in small.call("status", check=False).stdout
    remount(small, "rw")
    assert_a_load_succeeds(small)
