"""What a team calls its lakehouse: several may lie in one database."""

import os
import re

from data_platform.errors import UsageError

_NAME = "DATA_PLATFORM_TEAM_NAME"
_TAKEN = re.compile(r"_[rw]\d+|_state$|_failed$|_merged$|^pg_|^public$|^information_schema$")


def lakehouse_name() -> str:
    """The name of the team's lakehouse in the database.

    Raises:
        UsageError: it cannot begin the name of a schema.
    """
    name = os.environ.get(_NAME) or "lakehouse"
    if not re.fullmatch(r"[a-z][a-z0-9_]{0,30}", name):
        raise UsageError(
            f"{_NAME}={name!r} is no name; use up to 31 small letters, digits and _, a letter first"
        )
    if _TAKEN.search(name):  # another lakehouse's release, or the server's own
        raise UsageError(f"{_NAME}={name!r} is like a schema of another kind; choose another name")
    return name
