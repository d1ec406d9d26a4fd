"""Copies of a database, made by a process of their own."""

import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from data_platform.errors import PlatformError
from data_platform.lakehouse import copier

# Whether a copy is made of a file that is no longer needed; macOS shares blocks.
IS_WRITTEN_OVER = sys.platform == "linux"


@dataclass(frozen=True)
class Copying:
    """A database that is being copied, in a process of its own.

    DuckDB's lock is a POSIX record lock: any other open and close of the file by the process that
    holds it would drop it.
    """

    process: subprocess.Popen[str]

    @classmethod
    def start(cls, database: Path, folder: Path, spare: Path | None = None) -> "Copying | None":
        """Begin to copy, sharing blocks where the file system can; None where nothing is there.

        A writer that was killed has left its log beside the database: it is copied too, and DuckDB
        reads it into the copy.

        Args:
            spare: a file to write over, which is gone afterwards; it need not be there.

        Raises:
            PlatformError: no process can be started.
        """
        if not database.exists():
            return None
        if IS_WRITTEN_OVER:
            # Without packages, and the folder of the program among its modules.
            words = [sys.executable or "python3", "-P", "-S", copier.__file__]
            words += [str(path) for path in (database, folder, spare) if path]
        else:
            files = [str(f) for f in database.parent.glob(f"{database.name}*") if f.is_file()]
            words = ["cp", "-p", "-c", *files, str(folder)]
        try:
            process = subprocess.Popen(
                words,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                text=True,
                start_new_session=True,  # Ctrl-C is for the run to decide about
            )
        except OSError as error:
            reason = f"{words[0]}: {error.strerror}"
            raise PlatformError(f"cannot copy the lakehouse: {reason}") from error
        return cls(process)

    def wait(self) -> None:
        """Wait for the end; a second call has nothing to wait for.

        Raises:
            PlatformError: it failed and says why, a full disk for example.
        """
        complaint = self.process.communicate()[1] if self.process.returncode is None else ""
        if self.process.returncode:
            reason = complaint.strip().removeprefix("cp: ") or _how_it_ended(
                self.process.returncode
            )
            raise PlatformError(f"cannot copy the lakehouse: {reason}")

    def stop(self) -> None:
        """End it, done or not."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.communicate()


def _how_it_ended(code: int) -> str:
    if code == -signal.SIGXFSZ:
        return copier.TOO_LARGE
    how = f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended with {code}"
    return f"the process that copies {how}"


def copy_database(database: Path, folder: Path) -> None:
    """Copy a database and wait for it.

    Raises:
        PlatformError: it says why it failed.
    """
    if copying := Copying.start(database, folder):
        copying.wait()
