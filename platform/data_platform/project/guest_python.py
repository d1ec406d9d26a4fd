"""The Python of models and macros, which runs as a guest in the platform's own process."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from typing import TypeVar

from sqlmesh.utils.errors import SQLMeshError

_T = TypeVar("_T")


@contextmanager
def guest_python() -> Iterator[None]:
    """What it prints in the block is no output of the command, and it does not end that.

    Raises:
        SQLMeshError: it would end the program.
    """
    try:
        with redirect_stdout(sys.stderr):
            yield
    except SystemExit:
        raise SQLMeshError("its Python would end the program") from None


def each_of_guests(found: Iterator[_T]) -> Iterator[_T]:
    """What an iterator of theirs gives, which runs in between."""
    while True:
        with guest_python():
            try:
                one = next(found)
            except StopIteration:
                return
        yield one
