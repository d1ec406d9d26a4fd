"""Signals that ask the process to end: it cleans up, as after Ctrl-C.

What libraries make of an interruption may look like a failure of their own, so it is remembered
that somebody asked.
"""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_received: list[signal.Signals] = []


def listen() -> None:
    """Turn the signals into a KeyboardInterrupt, where nobody has decided otherwise."""
    for number in SIGNALS:
        if signal.getsignal(number) in (signal.SIG_DFL, signal.default_int_handler):
            signal.signal(number, interrupt)


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


def interrupt(number: int, _frame: FrameType | None = None) -> None:
    """Remember a signal, and be interrupted."""
    _received.append(signal.Signals(number))
    raise KeyboardInterrupt


def hand_to(handler: Callable[[int, FrameType | None], object]) -> dict[int, Any]:
    """Have the signals handled otherwise, those that nobody ignores; the handlers before."""
    return {
        number: signal.signal(number, handler)
        for number in SIGNALS
        if signal.getsignal(number) != signal.SIG_IGN
    }


@contextmanager
def deferred() -> Iterator[Callable[[], signal.Signals | None]]:
    """What asks the process to end within the block, once it has; a second time ends it at once.

    Whoever stops at a better moment is then to `interrupt`.
    """
    asked: list[signal.Signals] = []
    before: dict[int, Any] = {}

    def note(number: int, _frame: FrameType | None) -> None:
        asked.append(signal.Signals(number))
        for one, handler in before.items():
            signal.signal(one, handler)

    if threading.current_thread() is threading.main_thread():
        before |= hand_to(note)
    try:
        yield lambda: asked[0] if asked else None
    finally:
        for one, handler in before.items():
            signal.signal(one, handler)
