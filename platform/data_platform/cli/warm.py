"""A process that has imported SQLMesh, and forks for each command that changes models.

To import SQLMesh and what it needs takes a third of the time of a plan. The first such command
imports packages before anything else, and leaves a fork behind that has done nothing else: it has
no project, no lakehouse, and of the platform this module alone and the base modules it stands on.
The next command is a fork of that one, with the words, folder, environment and streams of the one
that was called.

It does not answer from stale code: it is found by what an import, or a process, may depend on,
looks before each fork whether a file of a module has changed, and a fork imports the platform's own
other modules. A fork gets the signals that ask to end, and is killed when the command is.
"""

import gc
import hashlib
import importlib
import json
import os
import re
import select
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from data_platform import interruption
from data_platform.files import own_temporary_folder

OPTION, _VARIABLES = "--no-warm", ("CI", "DATA_PLATFORM_NO_WARM")
# The commands for which people wait again and again; not their help, nor what has a terminal.
_COMMANDS = frozenset({"plan", "diff", "promote", "rollback"})
_OTHERS = frozenset({OPTION, "-h", "--help", "query", "ui"})
_IDLE_SECONDS, _PATIENCE = 600.0, 2.0
_MODULES = (
    *("sqlmesh", "sqlmesh.magics", "sqlmesh.core.audit.builtin", "sqlmesh.core.lineage"),
    *("duckdb", "filelock", "pandas", "rich.progress", "time_machine", "yaml"),
)
# What differs from call to call in one terminal, or is the program's own, which no import reads.
_OF_A_CALL = re.compile("_|COLUMNS|LINES|OLDPWD|PWD|SHLVL|DATA_PLATFORM_.*")
# What /proc/self/status says of what a process may do.
_RIGHTS = ("Umask", "Gid", "Groups", "SigBlk", "SigIgn", "Cap", "NoNewPrivs", "Seccomp", "Cpus")
# Whole messages: that a fork is there, the call with its streams and folder, that it has taken
# them, signals, the exit code.
_SOCKET, _CALL_BYTES, _READY = (socket.AF_UNIX, socket.SOCK_SEQPACKET), 1 << 22, b"+"


def run(program: Callable[[], int]) -> int:
    """Run the program for the words of the command line; its exit code.

    It runs in a fork of the process that is kept ready, or else here, leaving one behind.
    """
    is_off = any(os.environ.get(name, "") not in ("", "0", "false") for name in _VARIABLES)
    # A Python without options of its own, and streams that can be handed over.
    is_plain = sys.orig_argv[1:] == sys.argv and None not in (sys.stdin, sys.stdout, sys.stderr)
    is_asked = _COMMANDS & {*sys.argv} and not _OTHERS & {*sys.argv}
    place = _place() if sys.platform == "linux" and is_plain and is_asked and not is_off else None
    if place is not None:
        if (code := _ask(place)) is not None:
            return code
        _leave_behind(place, program)
    return program()


def _place() -> Path | None:
    """The socket for what an import, or a process, may depend on; None where there can be none."""
    own = Path("/proc/self")
    try:
        surroundings = (
            *(__file__, sys.executable, sys.path, os.getpriority(0, 0), os.sched_getscheduler(0)),
            sorted((k, v) for k, v in os.environ.items() if not _OF_A_CALL.fullmatch(k)),
            *((own / name).read_text() for name in ("cgroup", "limits", "oom_score_adj")),
            *(s for s in (own / "status").read_text().splitlines() if s.startswith(_RIGHTS)),
            *sorted(str(path.readlink()) for path in (own / "ns").iterdir()),
        )
    except OSError:
        return None
    folder = own_temporary_folder("-warm")
    digest = hashlib.sha256(repr(surroundings).encode(errors="surrogateescape")).hexdigest()
    return folder / digest[:32] if folder else None


def _ask(place: Path) -> int | None:
    """The exit code of the command, run by a fork; None if nobody has taken it."""
    with socket.socket(*_SOCKET) as connection:
        connection.settimeout(_PATIENCE)
        try:
            connection.connect(str(place))
            connection.recv(1)  # if it is gone instead, what follows fails
            call = json.dumps([sys.argv, {**os.environ}]).encode()
            socket.send_fds(connection, [call], [0, 1, 2, os.open(".", os.O_PATH)])
            connection.settimeout(None)
            if not connection.recv(1):
                return None
        except OSError as error:
            if isinstance(error, ConnectionRefusedError):
                with suppress(OSError):
                    place.unlink()  # of one that was killed
            return None

        def pass_on(number: int, _: object) -> None:
            with suppress(OSError):
                connection.sendall(bytes([number]))

        interruption.hand_to(pass_on)
        with suppress(OSError):
            if code := connection.recv(1):
                return code[0]
    print("Error: the process that ran this command was killed", file=sys.stderr)
    return 128 + signal.SIGKILL


def _leave_behind(place: Path, program: Callable[[], int]) -> None:
    """Import, and leave a process that forks for each call."""
    began = time.time_ns()
    gc.disable()  # as the program does: what is imported stays
    for name in _MODULES:
        importlib.import_module(name)
    imported = _files()
    if any(changed_at > began for (_, changed_at), *_ in imported.values()) or os.fork():
        return
    os.setsid()
    os.chdir("/")
    os.closerange(0, os.sysconf("SC_OPEN_MAX"))
    for _ in range(3):
        os.open(os.devnull, os.O_RDWR)
    with suppress(BaseException):  # another one is there, or it is asked to end
        _serve(place, imported, program)
    os._exit(0)


def _serve(place: Path, imported: object, program: Callable[[], int]) -> None:
    """Wait for calls until a module has changed or nobody calls for a while."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # of a fork that has ended, no trace is left
    with socket.socket(*_SOCKET) as listener:
        listener.bind(str(place))
        place.chmod(0o600)
        listener.listen()
        while select.select([listener], [], [], _IDLE_SECONDS)[0]:
            connection, _ = listener.accept()
            if _files() != imported:
                break
            if os.fork() == 0:
                _take_over(connection)  # if it fails, who calls runs the command
                _answer(connection, program)
            connection.close()
        place.unlink()


def _answer(connection: socket.socket, program: Callable[[], int]) -> None:
    """Be the command that is called at the other end, give back its exit code, and end."""
    threading.Thread(target=_obey, args=[connection], daemon=True).start()
    try:
        code = program()
    except BaseException:
        code = 1
        sys.excepthook(*sys.exc_info())
    with suppress(OSError, ValueError):
        sys.stdout.flush()
    with suppress(OSError):
        connection.sendall(bytes([code]))
    os._exit(0)  # threads that libraries would wait for are in another process


def _take_over(connection: socket.socket) -> None:
    """Take the words, folder, environment and streams of who calls."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    connection.sendall(_READY)
    call, taken, *_ = socket.recv_fds(connection, _CALL_BYTES, 4)
    sys.argv[:], variables = json.loads(call)
    os.fchdir(taken[3])
    os.environ.clear()
    os.environ.update(variables)
    importlib.invalidate_caches()
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        os.dup2(taken[number], number)
        old, by_line = getattr(sys, name), 1 if number == 2 or os.isatty(number) else -1
        how = ("w" if number else "r", by_line, old.encoding, old.errors)
        setattr(sys, name, open(number, *how, closefd=False))  # noqa: SIM115
    connection.sendall(_READY)


def _obey(connection: socket.socket) -> None:
    """Do what who has called is told by signals, and end at once when it does."""
    with suppress(OSError):
        while number := connection.recv(1):
            os.kill(os.getpid(), number[0])
    os.kill(os.getpid(), signal.SIGKILL)


def _files() -> dict[str, tuple[tuple[int, int], int, int]]:
    """Times, inode and size of each module's file and each folder where modules are looked for."""
    places = {getattr(module, "__file__", None) for module in [*sys.modules.values()]}
    found = {}
    for place in filter(None, {*places, *sys.path}):
        with suppress(OSError):
            status = Path(place).stat()
            found[place] = ((status.st_mtime_ns, status.st_ctime_ns), status.st_ino, status.st_size)
    return found
