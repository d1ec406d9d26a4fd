"""What a branch would change, for the people who review it: plan, impact and data against its base.

The base is built with its own program on data of its own at a small scale, then the branch is
planned on top of it: what `just plan` and `just diff` say is what merging and promoting would do.
"""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from shutil import rmtree
from tempfile import mkdtemp

from data_platform.errors import PlatformError, UsageError
from data_platform.files import cache_folder
from data_platform.settings import Settings
from data_platform.simulation import Simulation

ENVIRONMENT = "review"
# By this line a comment on a pull request is found again, to be replaced.
MARK = "<!-- data-platform review -->"
# As each version of the program can be called.
_PROGRAM = "from data_platform.cli import main; main()"


@dataclass(frozen=True)
class Review:
    """A review in Markdown, and whether everything that it tried worked."""

    text: str
    passed: bool


def review(
    settings: Settings,
    company: Simulation,
    base: str,
    on_step: Callable[[str], None] = lambda step: None,
) -> Review:
    """Build a base commit and plan the working tree on top of it; nothing else is touched.

    Args:
        settings: their data folder is not used.
        company: at the scale to build it.
        base: a branch or commit.
        on_step: called with what is being done.

    Raises:
        UsageError: the project is no git repository, or there is no such commit.
        PlatformError: the base itself cannot be built.
    """
    try:
        commit = _git(
            settings.project_dir, "rev-parse", "--short", "--verify", f"{base}^{{commit}}"
        )
    except UsageError as error:
        raise UsageError(f"there is no branch or commit {base!r} ({error})") from error
    branch = _git(settings.project_dir, "describe", "--always", "--dirty", "--all")
    with _folder(settings.project_dir) as folder:
        old, data = folder / "base", folder / "data"
        on_step(f"checking out {base}")
        _git(settings.project_dir, "worktree", "add", "--quiet", "--detach", str(old), commit)
        asked = ["--scale", f"{company.scale:g}", "--as-of", str(settings.as_of)]
        asked += ["--random-seed", str(company.random_seed), "-d", str(data)]
        on_step(f"building {base}")
        built = _call(["-p", str(old), *asked, "run"], {"PYTHONPATH": str(old / "platform")})
        if built.returncode:
            raise PlatformError(f"{base} cannot be built: {_error(built.stderr)}")
        head = [
            MARK,
            f"## Review of `{branch}` against `{base}` ({commit})",
            f"The company of seed {company.random_seed} at scale {company.scale:g}, as of "
            f"{settings.as_of}, built by the base, then by this branch.",
        ]
        ours = ["-p", str(settings.project_dir), *asked]
        parts, passed = [], True
        for step, words in (
            ("loading with the branch's program", ["extract", "load", "transform"]),
            ("planning the branch", ["plan", ENVIRONMENT, "--format", "markdown"]),
            ("comparing the data", ["diff", ENVIRONMENT, "--format", "markdown"]),
        ):
            on_step(step)
            done = _call([*ours, *words])
            if done.returncode:
                passed = False
                parts.append(f"### Failed: {step}\n\n```\n{_error(done.stderr)}\n```\n")
                break
            if "markdown" in words:
                parts.append(done.stdout)
        verdict = "Everything was built." if passed else "**This branch does not build.**"
        return Review("\n\n".join([*head, verdict, *parts]), passed)


@contextmanager
def _folder(project_dir: Path) -> Iterator[Path]:
    """A folder for one review, gone afterwards together with git's note of the worktree."""
    parent = cache_folder(project_dir)
    parent.mkdir(exist_ok=True, parents=True)
    folder = Path(mkdtemp(prefix="review-", dir=parent))
    try:
        yield folder
    finally:
        rmtree(folder, ignore_errors=True)
        with suppress(UsageError):
            _git(project_dir, "worktree", "prune")


def _git(project_dir: Path, *words: str) -> str:
    try:
        done = subprocess.run(
            ["git", *words],
            cwd=project_dir,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
        )
    except OSError as error:
        raise UsageError("a review needs git, which is not installed") from error
    if done.returncode:
        raise UsageError(f"git {words[0]}: {_last_line(done.stderr) or 'failed'}")
    return done.stdout.strip()


def _call(
    words: Sequence[str], environment: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run the program as a process of its own, without options from the environment."""
    kept = {name: value for name, value in os.environ.items() if "DATA_PLATFORM_" not in name}
    return subprocess.run(
        [sys.executable, "-c", _PROGRAM, *words],
        env={**kept, **(environment or {})},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
    )


def _error(text: str) -> str:
    """What the program has said last, which may be a line a finding."""
    lines = text.splitlines()
    begins = [number for number, line in enumerate(lines) if line.startswith("Error: ")]
    return "\n".join(lines[begins[-1] :]).rstrip() if begins else _last_line(text)


def _last_line(text: str) -> str:
    lines = [line for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else ""
