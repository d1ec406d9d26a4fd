"""A process that has imported SQLMesh, and forks for each command that changes models.

To import SQLMesh and what it needs takes a third of the time of a plan. The first such command
imports packages before anything else, and leaves a fork behind that has done nothing else: it has
no project, no lakehouse, and of the platform this module alone and the one of signals. The next
command is a fork of that one, with the words, folder, environment and streams of the one that was
called.

It does not answer from stale code: it is found by what an import, or a process, may depend on,
looks before each fork whether a file of a module has changed, and a fork imports the platform's own
other modules. A fork gets the signals that ask to end, and is killed when the command is.
"""

import atexit
import gc
import hashlib
import importlib
import json
import os
import select
import signal
import socket
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path

from data_platform import interruption

# The commands for which people wait again and again; not their help.
_COMMANDS, _HELP = frozenset({"plan", "diff", "promote", "rollback"}), frozenset({"-h", "--help"})
OPTION, _VARIABLES = "--no-warm", ("CI", "DATA_PLATFORM_NO_WARM")
_IDLE_SECONDS, _PATIENCE = 600.0, 2.0
_MODULES = (
    *("sqlmesh", "sqlmesh.magics", "sqlmesh.core.audit.builtin", "sqlmesh.core.lineage"),
    *("duckdb", "filelock", "pandas", "rich.progress", "time_machine", "yaml"),
)
# What differs from call to call in one terminal.
_OF_A_CALL = frozenset({"_", "COLUMNS", "LINES", "OLDPWD", "PWD", "SHLVL"})
# What /proc/self/status says of what a process may do.
_RIGHTS = ("Uid", "Gid", "Groups", "SigBlk", "SigIgn", "Cap", "NoNewPrivs", "Seccomp", "Cpus_")
_READY = b"+"


def main() -> None:
    """Run the command line, in a fork of the process that is kept ready where there is one."""
    interruption.listen()
    try:
        _run()
    except KeyboardInterrupt:  # before the program itself sees to it
        said, code = interruption.explained()
        print(f"\nError: {said}", file=sys.stderr)
        sys.exit(code)


def _run() -> None:
    fork, place = _Fork(), _place() if _is_of_use() else None
    if place is not None:
        code = _hand_over(place)
        if code is not None:
            sys.exit(code)
        _leave_behind(place, fork)
    from data_platform.cli.program import main

    fork.listen()
    try:
        main()
    except SystemExit as ended:
        fork.code = int(ended.code or 0)
        raise


def _is_of_use() -> bool:
    is_off = OPTION in sys.argv or any(map(os.environ.get, _VARIABLES)) or _HELP & {*sys.argv}
    # A Python without options of its own, and streams that can be handed over.
    is_plain = sys.orig_argv[1:] == sys.argv and None not in (sys.stdin, sys.stdout, sys.stderr)
    return sys.platform == "linux" and is_plain and not is_off and bool(_COMMANDS & {*sys.argv})


def _place() -> Path | None:
    """The socket for what an import, or a process, may depend on; None where there can be none."""
    own = Path("/proc/self")
    try:
        surroundings = (
            *(__file__, sys.executable, sys.path, str(Path.cwd())),
            sorted((k, v) for k, v in os.environ.items() if k not in _OF_A_CALL),
            *((own / name).read_text() for name in ("cgroup", "limits")),
            *(s for s in (own / "status").read_text().splitlines() if s.startswith(_RIGHTS)),
            *sorted(str(path.readlink()) for path in (own / "ns").iterdir()),
            os.getpriority(os.PRIO_PROCESS, 0),
        )
        folder = Path(os.environ.get("TMPDIR", "/tmp"), f"data-platform-warm-{os.getuid()}")
        folder.mkdir(mode=0o700, exist_ok=True)
        found = folder.lstat()
    except OSError:
        return None
    is_own = (found.st_uid, found.st_mode & 0o170777) == (os.getuid(), 0o040700)
    digest = hashlib.sha256(repr(surroundings).encode(errors="surrogateescape")).hexdigest()
    return folder / digest[:32] if is_own else None


def _hand_over(place: Path) -> int | None:
    """The exit code of the command, run by a fork; None if nobody has taken it."""
    call = json.dumps([sys.argv, str(Path.cwd()), {**os.environ}]).encode()
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(_PATIENCE)
        try:
            connection.connect(str(place))
            if connection.recv(1) != _READY:
                return None
        except ConnectionRefusedError:
            place.unlink(missing_ok=True)  # of one that was killed
            return None
        except OSError:
            return None
        connection.settimeout(None)

        def pass_on(number: int, _: object) -> None:
            with suppress(OSError):
                connection.sendall(bytes([number]))

        code = b""
        with suppress(OSError):  # the fork was killed
            socket.send_fds(connection, [_READY], [0, 1, 2])
            connection.sendall(call + b"\n")  # without which the fork does nothing
            for number in interruption.SIGNALS:
                if signal.getsignal(number) != signal.SIG_IGN:
                    signal.signal(number, pass_on)
            code = connection.recv(1)
    if not code:
        print("Error: the process that ran this command was killed", file=sys.stderr)
    return code[0] if code else 128 + signal.SIGKILL


class _Fork:
    """Whoever has called the command that this process is; nobody, if it was called itself."""

    connection: socket.socket | None = None
    code: int | None = None

    def take(self, connection: socket.socket) -> None:
        """Become the command that is asked for."""
        self.connection = connection
        connection.sendall(_READY)
        _, streams, *_ = socket.recv_fds(connection, 1, 3)
        sys.argv[:], folder, variables = json.loads(connection.makefile("rb").readline())
        os.chdir(folder)
        os.environ.clear()
        os.environ.update(variables)
        time.tzset()
        for number, name in enumerate(("stdin", "stdout", "stderr")):
            os.dup2(streams[number], number)
            os.close(streams[number])
            old, by_line = getattr(sys, name), 1 if number == 2 or os.isatty(number) else -1
            how = ("w" if number else "r", by_line, old.encoding, old.errors)
            setattr(sys, name, open(number, *how, closefd=False))  # noqa: SIM115
        self.code = 1

    def listen(self) -> None:
        """From now on, take over signals, and end at once when who has called does."""
        if self.connection is not None:
            interruption.listen()
            threading.Thread(target=self._obey, args=[self.connection], daemon=True).start()

    def _obey(self, connection: socket.socket) -> None:
        with suppress(OSError):
            while number := connection.recv(1):
                os.kill(os.getpid(), number[0])
        os.kill(os.getpid(), signal.SIGKILL)

    def tell(self) -> None:
        """Give back the exit code, when all else is done."""
        if self.connection is None:
            return
        for stream in (sys.stdout, sys.stderr):
            with suppress(OSError, ValueError):
                stream.flush()
        with suppress(OSError):
            self.connection.sendall(b"" if self.code is None else bytes([self.code]))
        os._exit(0)  # the libraries' threads are in another process


def _leave_behind(place: Path, fork: _Fork) -> None:
    """Import, and leave a process that forks for each call; a fork returns as the command."""
    began = time.time_ns()
    gc.disable()  # as the program does: what is imported stays
    atexit.register(fork.tell)  # the first to be registered is the last to be called
    for name in _MODULES:
        importlib.import_module(name)
    imported = _files()
    if any(changed_at > began for (_, changed_at), *_ in imported.values()) or os.fork():
        return
    os.setsid()
    nothing = os.open(os.devnull, os.O_RDWR)
    for number in range(3):
        os.dup2(nothing, number)
    os.closerange(3, os.sysconf("SC_OPEN_MAX"))
    os.umask(0o177)
    for signalled in interruption.SIGNALS:
        if signal.getsignal(signalled) != signal.SIG_IGN:
            signal.signal(signalled, signal.SIG_DFL)
    try:
        _serve(place, fork, imported)
    except OSError:  # another one is there, or who has called is gone
        os._exit(1)
    os.umask(0o077)
    importlib.invalidate_caches()


def _serve(place: Path, fork: _Fork, imported: object) -> None:
    """Wait for calls until a module has changed or nobody calls for a while; returns in a fork."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # of a fork that has ended, no trace is left
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(place))
        listener.listen()
        while select.select([listener], [], [], _IDLE_SECONDS)[0]:
            connection, _ = listener.accept()
            if _files() != imported:
                break
            if os.fork() == 0:
                signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                fork.take(connection)
                return
            connection.close()
        place.unlink()
    os._exit(0)


def _files() -> dict[str, tuple[tuple[int, int], int, int]]:
    """Times, inode and size of each module's file and each folder where modules are looked for."""
    places = {getattr(module, "__file__", None) for module in [*sys.modules.values()]}
    found = {}
    for place in filter(None, {*places, *sys.path}):
        with suppress(OSError):
            status = Path(place).stat()
            found[place] = ((status.st_mtime_ns, status.st_ctime_ns), status.st_ino, status.st_size)
    return found
