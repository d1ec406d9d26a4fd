"""Who people are: names and e-mails drawn from the vocabularies, identifiers from the draws."""

import numpy as np
import polars as pl
from numpy.typing import NDArray

from data_platform.sources.simulated.draws import (
    Ints,
    Words,
    integers,
    pieces,
    uuid_bytes,
    words,
)
from data_platform.sources.simulated.vocabulary import vocabulary


def uuids(raw: Words) -> pl.Series:
    """UUID texts out of pairs of words."""
    written = (texts(uuid_bytes(pairs)) for pairs in pieces(raw.reshape(-1, 2)))
    return pl.concat(written, rechunk=True)


def texts(octets: NDArray[np.uint8]) -> pl.Series:
    """Texts of one length each, by their bytes; shape (n, length)."""
    series = pl.Series(octets, dtype=pl.Array(pl.UInt8, octets.shape[1]))
    return series.cast(pl.List(pl.UInt8)).cast(pl.Binary).cast(pl.String)


def id_words(seed: int, table: str, count: int) -> Words:
    """The identifiers of `count` rows of a table before they are written; shape (count, 2)."""
    return words(seed, table, "id", 2 * count).reshape(-1, 2)


def ids(seed: int, table: str, count: int) -> pl.Series:
    """`count` identifiers of a table's rows, UUID texts."""
    return uuids(id_words(seed, table, count))


class Persons:
    """A population of people, whose names and e-mails are numbers until they are asked for.

    Args:
        tag: stands in their e-mails before their numbers. Both keep two people from sharing a
            person key by accident, where several populations are made; a name may well be shared.
    """

    def __init__(self, seed: int, table: str, count: int, tag: str = "") -> None:
        self._tag = tag

        def choice(column: str, pool: tuple[str, ...]) -> NDArray[np.uint16]:
            return integers(seed, table, column, count, 0, len(pool)).astype(np.uint16)

        pools = vocabulary()
        self._first = choice("first_name", pools.first_names)
        self._last = choice("last_name", pools.last_names)
        self._domain = choice("mail_domain", pools.mail_domains)

    def of(self, numbers: Ints) -> pl.DataFrame:
        """Columns first_name, last_name, email of some of them, who count from 0."""
        pools = vocabulary()

        def word(pool: tuple[str, ...], drawn: NDArray[np.uint16]) -> pl.Series:
            return pl.Series(pool, dtype=pl.String).gather(drawn[numbers])

        return pl.DataFrame(
            {
                "first_name": word(pools.first_names, self._first),
                "last_name": word(pools.last_names, self._last),
                "_first": word(pools.first_slugs, self._first),
                "_last": word(pools.last_slugs, self._last),
                "_domain": word(pools.mail_domains, self._domain),
                "_number": numbers + 1,
            }
        ).select(
            "first_name",
            "last_name",
            pl.format(
                "{}.{}.{}{}@{}", "_first", "_last", pl.lit(self._tag), "_number", "_domain"
            ).alias("email"),
        )
