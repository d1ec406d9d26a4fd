"""The address of a database: from the environment alone, and never shown."""

import os
import re

from data_platform.errors import PlatformError
from data_platform.settings import SOURCES_FILE
from data_platform.sources.entries import Entry


def address_of(entry: Entry, example: str) -> str:
    """The address that the variable `url_env` of an entry holds.

    Raises:
        PlatformError: the entry lacks url_env, or the variable is not set.
    """
    variable = entry.option("url_env", str)
    if not variable:
        raise PlatformError(
            f"{SOURCES_FILE}: {entry.name} has no url_env, the environment variable that holds the "
            "address of its database"
        )
    url = os.environ.get(variable)
    if not url:
        raise PlatformError(
            f"source {entry.name}: the environment variable {variable} is not set; expected an "
            f"address like {example}"
        )
    return url


def password_of(url: str) -> str:
    """The password in an address, as it is written there; "" where there is none."""
    found = re.match(r"\w+://[^:/@]*:([^@]*)@", url)
    return found[1] if found else ""
