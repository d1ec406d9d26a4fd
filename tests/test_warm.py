"""The process that is kept ready for commands that change models: quick, and never stale."""

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from conftest import Platform, begin
from data_platform.lakehouse.lock import writers_lock
from forked import PATIENCE

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="there is none elsewhere")

# Imported whenever Python starts: notes, as a process ends, whether it has imported SQLMesh.
_NOTING = """
import atexit, os, sys
called = os.getpid()
def note():
    if os.getpid() == called:  # and no fork
        with open({notes!r}, "a") as notes:
            notes.write("sqlmesh\\n" if "sqlmesh" in sys.modules else "nothing\\n")
atexit.register(note)
"""


def _until(holds: Callable[[], object]) -> None:
    began = time.monotonic()
    while not holds():
        assert time.monotonic() - began < PATIENCE
        time.sleep(0.02)


@dataclass
class Terminal:
    """A terminal in which somebody calls the installed program on a platform."""

    platform: Platform
    folder: Path  # a short path: a socket's is limited

    def start(
        self, *words: str, variables: dict[str, str] | None = None, before: Sequence[str] = ()
    ) -> subprocess.Popen[str]:
        """Call the program, by another one that calls it if need be."""
        hidden = ("CI", "DATA_PLATFORM_")
        env = {k: v for k, v in os.environ.items() if not k.startswith(hidden)}
        env |= {"TMPDIR": str(self.folder), "PYTHONPATH": str(self.folder / "noting")}
        program = str(Path(sys.executable).with_name("data-platform"))
        paths = ["-p", str(self.platform.project), "-d", str(self.platform.data)]
        return subprocess.Popen(
            [*before, program, *paths, *self.platform.options, *words],
            **dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE),
            text=True,
            env=env | (variables or {}),
            cwd=self.folder,
        )

    def call(
        self, *words: str, variables: dict[str, str] | None = None, before: Sequence[str] = ()
    ) -> tuple[int, str, str]:
        """Call the program to its end: its exit code, and what it says."""
        process = self.start(*words, variables=variables, before=before)
        out, err = process.communicate(timeout=PATIENCE)
        return process.returncode, out, err

    @property
    def noted(self) -> list[str]:
        """What each process that was called had imported in the end."""
        return (self.folder / "notes").read_text().split()

    @property
    def sockets(self) -> list[Path]:
        """Where processes are kept ready."""
        return [*self.folder.glob("data-platform-*/*")]

    def kept(self) -> list[int]:
        """The processes that are kept ready, and their forks."""
        found = []
        for path in Path("/proc").glob("[0-9]*/stat"):
            try:
                words, stat = path.with_name("cmdline").read_bytes(), path.read_text()
            except OSError:  # it has ended
                continue
            state, parent = stat.rpartition(")")[2].split()[:2]
            is_called = int(parent) == os.getpid() or state == "Z"
            if str(self.platform.data).encode() in words and not is_called:
                found.append(int(path.parent.name))
        return found

    def is_listening(self, pid: int) -> bool:
        """Whether a fork of the process handles signals, as the program does once it has begun."""
        forks = set(self.kept()) - {pid}
        states = [Path(f"/proc/{fork}/status").read_text() for fork in forks]
        handled = [int(state.partition("SigCgt:")[2].split()[0], 16) for state in states]
        return any(one >> (signal.SIGTERM - 1) & 1 for one in handled)

    def warm_up(self) -> int:
        """Have a process kept ready; its number."""
        code, _, said = self.call("plan", "dev")
        assert code == 0, said
        _until(lambda: self.sockets)
        (pid,) = self.kept()
        return pid


@pytest.fixture
def terminal(platform: Platform) -> Iterator[Terminal]:
    begin(platform)
    with tempfile.TemporaryDirectory(prefix="w") as name:
        folder = Path(name)
        (folder / "noting").mkdir()
        noting = _NOTING.format(notes=str(folder / "notes"))
        (folder / "noting" / "sitecustomize.py").write_text(noting)
        terminal = Terminal(platform, folder)
        yield terminal
        for pid in terminal.kept():
            os.kill(pid, signal.SIGKILL)


def test_the_next_command_is_a_fork_until_a_module_changes(terminal: Terminal) -> None:
    pid = terminal.warm_up()
    assert terminal.noted == ["sqlmesh"]
    (socket,) = terminal.sockets
    assert (socket.stat().st_mode, socket.parent.stat().st_mode) == (0o140600, 0o040700)

    code, out, said = terminal.call("plan", "dev")

    assert (code, said) == (0, "")
    assert "nothing differs from production" in out
    assert terminal.noted == ["sqlmesh", "nothing"]
    assert terminal.kept() == [pid]

    module = terminal.folder / "noting" / "sitecustomize.py"
    module.write_text(module.read_text() + "# edited\n")
    code, again, said = terminal.call("plan", "dev")

    assert (code, said) == (0, "")
    assert "nothing differs from production" in again
    assert terminal.noted == ["sqlmesh", "nothing", "sqlmesh"]
    _until(lambda: pid not in terminal.kept())


@pytest.mark.slow(reason="starts six processes that import SQLMesh")
def test_a_fork_says_and_ends_as_the_command_itself_would(terminal: Terminal) -> None:
    pid = terminal.warm_up()
    for words, code in ((["diff", "nowhere"], 2), (["plan", "no name"], 2), (["diff", "dev"], 0)):
        warm, cold = terminal.call(*words), terminal.call("--no-warm", *words)
        assert warm == cold
        assert warm[0] == code
    assert terminal.kept() == [pid]


@pytest.mark.slow(reason="starts five processes that import SQLMesh")
def test_none_is_kept_where_nobody_wants_one(terminal: Terminal) -> None:
    for words, variables in (
        (["plan", "dev"], {"CI": "true"}),
        (["plan", "dev"], {"DATA_PLATFORM_NO_WARM": "1"}),
        (["plan", "dev", "--no-warm"], {}),
        (["plan", "--help"], {}),
        (["diff", "dev", "query", "SELECT 1"], {}),  # a shell, perhaps, which is interrupted itself
        (["transform"], {}),
    ):
        assert terminal.call(*words, variables=variables)[0] == 0
        assert terminal.kept() == []
    assert terminal.sockets == []


@pytest.mark.slow(reason="starts two processes that import SQLMesh")
def test_other_surroundings_have_a_process_of_their_own(terminal: Terminal) -> None:
    terminal.warm_up()
    before = len(terminal.noted)

    terminal.call("plan", "dev", variables={"TZ": "Asia/Tokyo"})
    _until(lambda: len(terminal.sockets) == 2)

    assert "nothing" not in terminal.noted[before:]
    # What no import reads makes no difference.
    for variables in ({"COLUMNS": "90"}, {"DATA_PLATFORM_WAIT": "1"}):
        before = len(terminal.noted)
        assert terminal.call("plan", "dev", variables=variables)[0] == 0
        assert terminal.noted[before:] == ["nothing"]
    # Nor is it CI where a variable says that it is not.
    assert terminal.call("plan", "dev", variables={"CI": "false"})[0] == 0
    _until(lambda: len(terminal.sockets) == 3)


@pytest.mark.slow(reason="starts a process that imports SQLMesh, and waits for it")
@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGKILL, -9)]
)
def test_what_is_signalled_to_the_command_reaches_its_fork(
    terminal: Terminal, number: signal.Signals, code: int
) -> None:
    pid = terminal.warm_up()
    with writers_lock(terminal.platform.data / "runs", 0, lambda _: None):
        process = terminal.start("plan", "dev", "--wait", "1000")
        _until(lambda: terminal.is_listening(pid))
        process.send_signal(number)
        _, said = process.communicate(timeout=PATIENCE)

        _until(lambda: terminal.kept() == [pid])
    assert process.returncode == code
    assert said.lstrip() == (
        "" if number == signal.SIGKILL else f"Error: interrupted by {number.name}\n"
    )


@pytest.mark.slow(reason="starts a process that imports SQLMesh, and waits for it")
def test_a_fork_that_is_killed_is_told_by_the_exit_code(terminal: Terminal) -> None:
    pid = terminal.warm_up()
    with writers_lock(terminal.platform.data / "runs", 0, lambda _: None):
        process = terminal.start("plan", "dev", "--wait", "1000")
        _until(lambda: len(terminal.kept()) == 2)
        (fork,) = set(terminal.kept()) - {pid}
        os.kill(fork, signal.SIGKILL)
        process.communicate(timeout=PATIENCE)
    assert process.returncode == 128 + signal.SIGKILL
    assert terminal.call("plan", "dev")[0] == 0


@pytest.mark.slow(reason="imports SQLMesh and waits")
def test_it_is_gone_when_nobody_has_called_for_a_while(terminal: Terminal) -> None:
    noting = terminal.folder / "noting" / "sitecustomize.py"
    noting.write_text(
        f"{noting.read_text()}\nimport data_platform.cli.warm as warm\nwarm._IDLE_SECONDS = 0.2\n"
    )
    assert terminal.call("plan", "dev")[0] == 0
    _until(lambda: not terminal.kept() and not terminal.sockets)


@pytest.mark.slow(reason="starts a process that imports SQLMesh")
def test_a_folder_that_others_can_enter_is_not_used(terminal: Terminal) -> None:
    folder = terminal.folder / f"data-platform-warm-{os.getuid()}"
    folder.mkdir()
    folder.chmod(0o755)
    assert terminal.call("plan", "dev")[0] == 0
    assert terminal.kept() == []


@pytest.mark.slow(reason="starts three processes that import SQLMesh")
def test_a_process_that_does_not_answer_is_done_without(terminal: Terminal) -> None:
    pid = terminal.warm_up()
    os.kill(pid, signal.SIGSTOP)
    code, out, said = terminal.call("plan", "dev")
    assert (code, said) == (0, "")
    assert "nothing differs from production" in out
    runs = "SELECT COUNT(*) FROM ops.runs"
    before = terminal.platform.rows(runs)
    os.kill(pid, signal.SIGCONT)
    _until(lambda: terminal.kept() == [pid])
    assert terminal.call("plan", "dev")[0] == 0
    assert terminal.noted == ["sqlmesh", "sqlmesh", "nothing"]
    # What the command has done by itself, no fork has done again.
    assert terminal.platform.rows(runs) == [(before[0][0] + 1,)]


@pytest.mark.slow(reason="starts a process that imports SQLMesh")
def test_streams_and_folders_of_any_kind_follow_those_of_any_other(terminal: Terminal) -> None:
    elsewhere = terminal.folder / "elsewhere"
    for words in (
        '> "$TMPDIR/out" 2>&1',
        "",
        "2> /dev/null",
        '>> "$TMPDIR/out"',
        "| cat",
        "< /dev/null",
    ):
        shell = ["sh", "-c", f'exec "$0" "$@" {words}']
        code, out, said = terminal.call("plan", "dev", before=shell)
        told = out or (terminal.folder / "out").read_text()
        assert (code, said) == (0, "") and "nothing differs from production" in told
    assert terminal.noted.count("sqlmesh") == 1
    # A folder is handed over as it is: it may be gone, or closed to who comes by its name.
    elsewhere.mkdir()
    gone = ["sh", "-c", f'cd {elsewhere} && rmdir {elsewhere} && exec "$0" "$@"']
    assert terminal.call("plan", "dev", before=gone)[0] == 0
    assert terminal.noted[-1] == "nothing"


@pytest.mark.slow(reason="starts three processes that import SQLMesh")
def test_streams_that_are_closed_are_not_handed_over(terminal: Terminal) -> None:
    terminal.warm_up()
    for closed in ("<&-", ">&-", "2>&-"):
        shell = ["sh", "-c", f'exec "$0" "$@" {closed}']
        assert terminal.call("plan", "dev", before=shell)[0] == 0
    assert "nothing" not in terminal.noted


@pytest.mark.slow(reason="starts a process that imports SQLMesh, and interrupts many")
def test_a_command_that_is_interrupted_early_says_so_in_a_line(terminal: Terminal) -> None:
    def interrupted(seconds: float, number: signal.Signals, *words: str) -> tuple[int, str]:
        process = terminal.start("plan", "dev", *words)
        time.sleep(seconds)
        process.send_signal(number)
        _, said = process.communicate(timeout=PATIENCE)
        return process.returncode, said.lstrip()

    # While packages are imported, by the first command.
    for number in (signal.SIGINT, signal.SIGTERM):
        assert interrupted(0.4, number) == (128 + number, f"Error: interrupted by {number.name}\n")
    pid = terminal.warm_up()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        expected = (128 + number, f"Error: interrupted by {number.name}\n")
        for tenths in (2, 3, 4):  # while a fork imports the platform's modules
            assert interrupted(tenths / 10, number) == expected
    _until(lambda: terminal.kept() == [pid])
