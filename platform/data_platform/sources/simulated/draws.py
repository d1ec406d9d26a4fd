"""Counter-based random draws: any chunk of any column can be drawn alone, in any order.

A draw depends on nothing but (seed, table, column, chunk, position): NumPy's Philox generator is
keyed with a digest of the first four and the position is its counter. Drawing more of a chunk
never changes what was drawn before, which is what keeps the simulated history stable.
"""

import hashlib
from collections.abc import Iterator
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

Words = NDArray[np.uint64]
Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
_Value = TypeVar("_Value", bound=np.generic)

CHUNK_ROWS = 65_536
# Texts are made of so many rows at a time: the way to them takes several times their memory.
PIECE_ROWS = 65_536


def starts(count: int) -> range:
    """The first row of each piece of `count` rows; of none there is one, which is empty."""
    return range(0, max(1, count), PIECE_ROWS)


def pieces(rows: NDArray[_Value]) -> Iterator[NDArray[_Value]]:
    """Rows, a piece at a time."""
    for start in starts(len(rows)):
        yield rows[start : start + PIECE_ROWS]


def chunk_words(
    seed: int, table: str, column: str, chunk: int, count: int, first: int = 0
) -> Words:
    """`count` 64-bit words of one chunk of a column, from the `first` on; shape (count,)."""
    name = f"{seed}/{table}/{column}/{chunk}".encode()
    key = np.frombuffer(hashlib.blake2b(name, digest_size=16).digest(), dtype="<u8")
    blocks, within = divmod(first, 4)  # the generator makes four at a time
    return np.random.Philox(key=key).advance(blocks).random_raw(within + count)[within:]


def words(seed: int, table: str, column: str, count: int) -> Words:
    """The words of rows 0 to `count` of a column that is cut into chunks of `CHUNK_ROWS` rows."""
    if count <= 0:
        return np.empty(0, dtype=np.uint64)
    starts = range(0, count, CHUNK_ROWS)
    return np.concatenate(
        [
            chunk_words(seed, table, column, chunk, min(CHUNK_ROWS, count - start))
            for chunk, start in enumerate(starts)
        ]
    )


def fractions(raw: Words) -> Floats:
    """Words as floats in [0, 1), 53 bits each."""
    return (raw >> np.uint64(11)).astype(np.float64) * 2.0**-53


def uniform(seed: int, table: str, column: str, count: int) -> Floats:
    """`count` floats in [0, 1), one a row."""
    return fractions(words(seed, table, column, count))


def integers(seed: int, table: str, column: str, count: int, low: int, high: int) -> Ints:
    """`count` integers in [low, high), one a row."""
    return low + (uniform(seed, table, column, count) * (high - low)).astype(np.int64)


def every(seed: int, table: str, column: str, count: int, period: int) -> Flags:
    """Flags one row in `period`, at a fixed rate from a drawn first row: dirt of a known amount."""
    first = int(chunk_words(seed, table, column, 0, 1)[0] % np.uint64(period))
    flags: Flags = np.arange(count) % period == first
    return flags


# The four hexadecimal digits of two bytes, and the four decimal ones of a number, by their value.
_BYTE = np.array([f"{byte:02x}".encode() for byte in range(256)], dtype="S2").view("<u2")
_PAIRS = np.arange(65_536)
_HEX = np.stack([_BYTE[_PAIRS & 0xFF], _BYTE[_PAIRS >> 8]], axis=1).view("<u4")[:, 0]
_FOUR = np.char.zfill(np.arange(10_000).astype("S4"), 4).view(np.uint8).reshape(-1, 4)


def uuid_bytes(raw: Words) -> NDArray[np.uint8]:
    """Pairs of words as version 4 UUIDs in their 36 ASCII characters; shape (len(raw) / 2, 36)."""
    octets = raw.astype("<u8").view(np.uint8).reshape(-1, 16)
    octets[:, 6] = (octets[:, 6] & 0x0F) | 0x40
    octets[:, 8] = (octets[:, 8] & 0x3F) | 0x80
    digits = _HEX[octets.view("<u2")].view(np.uint8).reshape(-1, 32)
    text = np.full((len(octets), 36), ord("-"), dtype=np.uint8)
    for target, source, length in ((0, 0, 8), (9, 8, 4), (14, 12, 4), (19, 16, 4), (24, 20, 12)):
        text[:, target : target + length] = digits[:, source : source + length]
    return text


def decimal_bytes(prefix: bytes, numbers: Ints, width: int) -> NDArray[np.uint8]:
    """Numbers below 10 ** width in ASCII, padded with zeros; shape (n, len(prefix) + width)."""
    text = np.empty((len(numbers), len(prefix) + width), dtype=np.uint8)
    text[:, : len(prefix)] = np.frombuffer(prefix, dtype=np.uint8)
    rest = numbers
    for end in range(width, 0, -4):
        rest, group = np.divmod(rest, 10_000)
        first = max(0, end - 4)
        text[:, len(prefix) + first : len(prefix) + end] = _FOUR[group][:, 4 - (end - first) :]
    return text
