"""A process that has imported SQLMesh, and forks for each command that changes models.

To import SQLMesh and what it needs takes a third of the time of a plan. After such a command, a
process in the background imports them once more, and nothing else: no module of the platform, no
project, no lakehouse. The next command is a fork of it, with the words, the folder, the environment
and the terminal of the one that was called.

It cannot answer from stale code: it is found by all that an import may depend on, looks before each
fork whether a file of a module was changed since, and a fork imports the platform's own modules
anew. A fork gets the signals of the command that was called, and is killed when that one is.
"""

import atexit
import gc
import hashlib
import importlib
import json
import os
import resource
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import suppress
from pathlib import Path

# The commands for which people wait again and again.
_COMMANDS = frozenset({"plan", "diff", "promote", "rollback"})
_OPTION, _VARIABLES = "--no-warm", ("CI", "DATA_PLATFORM_NO_WARM")
_FALSE = frozenset({"", "0", "false", "f", "no", "n", "off"})  # as Click reads a flag's variable
_IDLE_SECONDS = 600.0
_MODULES = (
    *("sqlmesh", "sqlmesh.magics", "sqlmesh.core.audit.builtin", "sqlmesh.core.lineage"),
    *("duckdb", "filelock", "pandas", "rich.progress", "time_machine", "yaml"),
)
# What differs from call to call in one terminal, and no import reads.
_OF_A_CALL = frozenset({"_", "COLUMNS", "LINES", "OLDPWD", "PWD", "SHLVL"})
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_TAKEN = b"+"


def main() -> None:
    """Run the command line, in a fork of the process that is kept ready where there is one."""
    words = sys.argv[1:]
    values = {os.environ.get(name, "").lower() for name in _VARIABLES}
    is_off = _OPTION in words or not values <= _FALSE
    is_of_use = sys.platform == "linux" and not is_off and not _COMMANDS.isdisjoint(words)
    place = _place() if is_of_use else None
    if place is None:
        _run()
        return
    code = _hand_over(place, words)
    if code is not None:
        sys.exit(code)
    try:
        _run()
    except SystemExit as ended:
        if not ended.code:
            _keep_ready(place)
        raise


def _run() -> None:
    from data_platform.cli.program import main

    main()


def _place() -> Path | None:
    """The socket for all that an import, or what a process may do, depends on; None without one."""
    names = sorted(name for name in dir(resource) if name.startswith("RLIMIT_"))
    surroundings = (
        *(__file__, sys.executable, sys.path, sys.flags, sys.warnoptions, str(Path.cwd())),
        sorted((k, v) for k, v in os.environ.items() if k not in _OF_A_CALL),
        *(resource.getrlimit(getattr(resource, name)) for name in names),
        *(os.getpriority(os.PRIO_PROCESS, 0), os.sched_getaffinity(0), os.getgroups()),
        *(signal.getsignal(number) == signal.SIG_IGN for number in _SIGNALS),
        Path("/proc/self/cgroup").read_text(),
    )
    base = os.environ.get("XDG_RUNTIME_DIR") or tempfile.gettempdir()
    folder = Path(base, f"data-platform-{os.getuid()}")
    with suppress(OSError):
        folder.mkdir(mode=0o700, exist_ok=True)
        found = folder.lstat()
        if (found.st_uid, found.st_mode) == (os.getuid(), 0o040700):  # nobody else's
            return folder / hashlib.sha256(repr(surroundings).encode()).hexdigest()[:32]
    return None


def _hand_over(place: Path, words: list[str]) -> int | None:
    """The exit code of the command, run by a fork; None if there was nobody to take it."""
    call = {"words": words, "folder": str(Path.cwd()), "path": sys.path, "env": {**os.environ}}
    with socket.socket(socket.AF_UNIX) as connection:
        try:
            connection.connect(str(place))
            socket.send_fds(connection, [_TAKEN], [0, 1, 2])
            connection.sendall(json.dumps(call).encode() + b"\n")
            if connection.recv(1) != _TAKEN:
                return None
        except OSError:
            return None
        for number in _SIGNALS:
            if signal.getsignal(number) != signal.SIG_IGN:
                signal.signal(number, lambda number, _: connection.sendall(bytes([number])))
        code = b""
        with suppress(OSError):  # the fork was killed
            code = connection.recv(1)
    return code[0] if code else 128 + signal.SIGKILL


def _keep_ready(place: Path) -> None:
    """Start the process in the background, in a session of its own."""
    words, nothing = [sys.executable, "-P", __file__, str(place)], subprocess.DEVNULL
    with suppress(OSError):
        subprocess.Popen(
            words, stdin=nothing, stdout=nothing, stderr=nothing, start_new_session=True
        )


class _Fork:
    """A command in a fork, for whoever has called it."""

    connection: socket.socket
    code: int | None = None

    def run(self, connection: socket.socket) -> None:
        """Become the command that is asked for; exits."""
        _, streams, *_ = socket.recv_fds(connection, 1, 3)
        call = json.loads(connection.makefile("rb").readline())
        self.connection, self.code = connection.dup(), 1
        connection.sendall(_TAKEN)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        os.chdir(call["folder"])
        os.environ.clear()
        os.environ.update(call["env"])
        time.tzset()
        sys.path[:], sys.argv[1:] = call["path"], call["words"]
        for number, name in enumerate(("stdin", "stdout", "stderr")):
            os.dup2(streams[number], number)
            os.close(streams[number])
            old, by_line = getattr(sys, name), 1 if number == 2 or os.isatty(number) else -1
            how = ("w" if number else "r", by_line, old.encoding, old.errors)
            setattr(sys, name, open(number, *how, closefd=False))  # noqa: SIM115
        importlib.invalidate_caches()
        threading.Thread(target=self._listen, daemon=True).start()
        try:
            _run()
        except SystemExit as ended:
            self.code = int(ended.code or 0)
            raise

    def _listen(self) -> None:
        """Take over signals, and end at once when who has called does."""
        with suppress(OSError):
            while number := self.connection.recv(1):
                os.kill(os.getpid(), number[0])
        os.kill(os.getpid(), signal.SIGKILL)

    def tell(self) -> None:
        """Give back the exit code, when all else is done."""
        if self.code is not None:
            for stream in (sys.stdout, sys.stderr):
                with suppress(OSError):
                    stream.flush()
            with suppress(OSError):
                self.connection.sendall(bytes([self.code]))
            os._exit(self.code)  # the libraries' threads are in the other process


def _serve(place: Path) -> None:
    """Import, and fork for each call, until a module was changed or nobody calls for a while."""
    os.umask(0o177)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # of a fork that has ended, no trace is left
    # It would start a thread, which a fork has not; config.yaml says the same.
    os.environ["SQLMESH__DISABLE_ANONYMIZED_ANALYTICS"] = "true"
    began, fork, own = time.time_ns(), _Fork(), Path(f"{place}.{os.getpid()}")
    atexit.register(fork.tell)  # the first to be registered is the last to be called
    for name in _MODULES:
        importlib.import_module(name)
    gc.freeze()
    imported = _files()
    if any(changed_at > began for changed_at, *_ in imported.values()):
        return
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(own))
        listener.listen()
        listener.settimeout(_IDLE_SECONDS)
        own.rename(place)
        with suppress(TimeoutError):
            while True:
                connection, _ = listener.accept()
                with connection:
                    if _files() != imported:
                        break
                    if os.fork() == 0:
                        listener.close()
                        fork.run(connection)
    place.unlink(missing_ok=True)


def _files() -> dict[str, tuple[int, ...]]:
    """When each module's file, and each folder in which modules are looked for, has changed."""
    places = {getattr(module, "__file__", None) for module in [*sys.modules.values()]}
    found: dict[str, tuple[int, ...]] = {}
    for place in filter(None, {*places, *sys.path}):
        with suppress(OSError):
            status = Path(place).stat()
            found[place] = (status.st_mtime_ns, status.st_ino, status.st_size)
    return found


if __name__ == "__main__":
    _serve(Path(sys.argv[1]))
