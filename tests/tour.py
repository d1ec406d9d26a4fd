"""The guided tour in docs/tour.md: plays its commands in a fresh clone, and writes what they say.

A block of `console` holds commands, each after a `$`, and what they print; a block of `diff` is an
edit of the working tree. `just tour` writes the outputs anew; a test compares them.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent
TOUR = PROJECT / "docs/tour.md"
# A command fails only where this mark says so.
_BLOCK = re.compile(r"(<!-- fails -->\n)?```(console|diff)\n(.*?)```", re.DOTALL)
# What differs from one time to the next: seconds, moments, how old the data is, commits.
_VARIES = (
    (r"\d+\.\d s", "1.0 s"),
    # A page that tells the minute is another one in the next.
    (r"(index\.html), \d+ files written", r"\1, … files written"),
    (r"\d{4}-\d{2}-\d{2} \d{2}:\d{2} UTC", "2026-11-24 10:00 UTC"),
    (r"\d+ days behind", "24 days behind"),
)


def normalised(text: str) -> str:
    """A text without what differs from one time to the next."""
    for pattern, shown in _VARIES:
        text = re.sub(pattern, shown, text)
    return text


def clone(folder: Path) -> None:
    """A fresh clone of the working tree, with the same virtual environment."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=PROJECT,
        check=True,
        capture_output=True,
        text=True,
    )
    for name in filter(None, listed.stdout.split("\0")):
        if (PROJECT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(PROJECT / name, folder / name)
    (folder / ".venv").symlink_to(PROJECT / ".venv")
    who = ["-c", "user.name=Tour", "-c", "user.email=tour@mail.example"]
    for words in (["init", "-q"], ["add", "-A"], [*who, "commit", "-qm", "clone"]):
        subprocess.run(["git", *words], cwd=folder, check=True)


def play(text: str, folder: Path) -> str:
    """The tour with what its commands say in a clone."""
    bin_ = PROJECT / ".venv/bin"
    kept = {name: value for name, value in os.environ.items() if "DATA_PLATFORM_" not in name}
    environment = {
        **kept,
        "PATH": f"{bin_}{os.pathsep}{os.environ['PATH']}",
        "DATA_PLATFORM_AS_OF": "2026-10-31",
        "DATA_PLATFORM_NO_WARM": "1",  # its folder is removed in the end
        "PYTHONUNBUFFERED": "1",
        "COLUMNS": "100",
    }

    def played(block: re.Match[str]) -> str:
        fails, kind, body = block.groups()
        if kind == "diff":
            words = ["git", "apply", "--unidiff-zero", "-"]
            subprocess.run(words, cwd=folder, input=body, text=True, check=True)
            return block[0]
        said = []
        for line in body.splitlines():
            if not line.startswith("$ "):
                continue
            done = subprocess.run(
                ["sh", "-c", line[2:]],
                cwd=folder,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
            )
            if bool(done.returncode) != bool(fails):
                raise RuntimeError(f"{line} ended with {done.returncode}: {done.stdout}")
            said.append(f"{line}\n{done.stdout.rstrip()}\n".replace("\n\n", "\n"))
        shown = normalised("".join(said)).replace(str(folder), "…")
        return f"{fails or ''}```{kind}\n{shown}```"

    return _BLOCK.sub(played, text)


def main() -> None:
    """Write the outputs anew."""
    with tempfile.TemporaryDirectory() as folder:
        clone(Path(folder))
        TOUR.write_text(play(TOUR.read_text(encoding="utf-8"), Path(folder)), encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
