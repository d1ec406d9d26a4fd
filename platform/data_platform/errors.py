"""The one exception that the platform raises for a person to read."""


class PlatformError(Exception):
    """What is wrong, where, what was expected and found, and what to do next, in one line."""


class NewerError(PlatformError):
    """A newer version of the platform wrote what is to be read or replaced."""


class UsageError(PlatformError):
    """The caller asked for something that does not exist or cannot be (exit code 2)."""
