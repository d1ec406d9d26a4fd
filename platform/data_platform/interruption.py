"""Signals that ask the process to end: it cleans up, as after Ctrl-C.

What libraries make of an interruption may look like a failure of their own, so it is remembered
that somebody asked.
"""

import signal
from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_received: list[signal.Signals] = []


def listen() -> None:
    """Turn the signals into a KeyboardInterrupt, where nobody has decided otherwise."""
    for number in SIGNALS:
        if signal.getsignal(number) in (signal.SIG_DFL, signal.default_int_handler):
            signal.signal(number, _interrupt)


def received() -> signal.Signals | None:
    """The first signal that asked the process to end."""
    return _received[0] if _received else None


def explained() -> tuple[str, int]:
    """What to say of an interruption, and the exit code, as of a shell."""
    number = received() or signal.SIGINT
    return f"interrupted by {number.name}", 128 + number


def check() -> None:
    """Interrupt again, where a library has swallowed it."""
    if _received:
        raise KeyboardInterrupt


def _interrupt(number: int, _frame: FrameType | None) -> None:
    _received.append(signal.Signals(number))
    raise KeyboardInterrupt
