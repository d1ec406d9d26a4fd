"""Who people are: names and e-mails drawn from the vocabularies, identifiers from the draws."""

import numpy as np
import polars as pl
from numpy.typing import NDArray

from data_platform.sources.simulated.draws import Words, integers, uuid_bytes, words
from data_platform.sources.simulated.vocabulary import vocabulary


def uuids(raw: Words) -> pl.Series:
    """UUID texts out of pairs of words."""
    return texts(uuid_bytes(raw))


def texts(octets: NDArray[np.uint8]) -> pl.Series:
    """Texts of one length each, by their bytes; shape (n, length)."""
    series = pl.Series(octets, dtype=pl.Array(pl.UInt8, octets.shape[1]))
    return series.cast(pl.List(pl.UInt8)).cast(pl.Binary).cast(pl.String)


def ids(seed: int, table: str, count: int) -> pl.Series:
    """`count` identifiers of a table's rows, UUID texts."""
    return uuids(words(seed, table, "id", 2 * count))


def people(seed: int, table: str, count: int, tag: str = "") -> pl.DataFrame:
    """Columns first_name, last_name, email of `count` people, numbered in their e-mails.

    The number (with `tag`, where several populations are made) keeps two people from sharing a
    person key by accident; a name may well be shared.
    """
    pools = vocabulary()

    def choice(column: str, pool: tuple[str, ...]) -> pl.Series:
        return pl.Series(integers(seed, table, column, count, 0, len(pool)))

    first = choice("first_name", pools.first_names)
    last = choice("last_name", pools.last_names)
    domain = choice("mail_domain", pools.mail_domains)

    def word(pool: tuple[str, ...], index: pl.Series) -> pl.Series:
        return pl.Series(pool, dtype=pl.String).gather(index)

    return pl.DataFrame(
        {
            "first_name": word(pools.first_names, first),
            "last_name": word(pools.last_names, last),
            "_first": word(pools.first_slugs, first),
            "_last": word(pools.last_slugs, last),
            "_domain": word(pools.mail_domains, domain),
            "_number": pl.Series(range(1, count + 1), dtype=pl.Int64),
        }
    ).select(
        "first_name",
        "last_name",
        pl.format("{}.{}.{}{}@{}", "_first", "_last", pl.lit(tag), "_number", "_domain").alias(
            "email"
        ),
    )
