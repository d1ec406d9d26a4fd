"""The address of a database: from the environment alone, and never shown."""

import os
import re
from urllib.parse import urlsplit

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
    if not _is_address(url):
        raise PlatformError(
            f"source {entry.name}: {variable} holds no address like {example}; in a password, "
            "characters like / @ : # ? are written %2F %40 %3A %23 %3F"
        )
    return url


def _is_address(url: str) -> bool:
    try:
        parts = urlsplit(url)
        has_port = parts.port is None or parts.port > 0
        has_one_user = parts.netloc.count("@") < 2 and "@" not in parts.path
        return bool(parts.scheme) and has_port and has_one_user
    except ValueError:
        return False


def password_of(url: str) -> str:
    """The password in an address, as it is written there; "" where there is none."""
    found = re.match(r"\w+://[^:/@]*:([^@]*)@", url)
    return found[1] if found else ""
