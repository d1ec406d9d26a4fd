"""The command line: words in, words out, no logic."""

import sys

from data_platform import interruption
from data_platform.cli import warm


def main() -> None:
    """The program that is installed: run the command line, in a fork that is ready or here."""
    interruption.listen()
    try:
        code = warm.run(_program)
    except KeyboardInterrupt:
        code = _interrupted()
    sys.exit(code)


def _program() -> int:
    """Run the command line in this process; its exit code."""
    try:
        from data_platform.cli.program import main

        main()
    except SystemExit as ended:
        return int(ended.code or 0)
    except KeyboardInterrupt:  # before the program itself sees to it
        return _interrupted()
    return 0


def _interrupted() -> int:
    said, code = interruption.explained()
    print(f"\nError: {said}", file=sys.stderr)
    return code
