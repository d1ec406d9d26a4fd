"""Pools of words from Mimesis' French locale; who gets which word is drawn elsewhere."""

import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

from mimesis import Address, Finance, Internet, Person
from mimesis.locales import Locale

# Fixed, so that the pools are the same for every company; large enough to meet nearly every word.
_POOL_SEED = 0
_DRAWS = 3_000


@dataclass(frozen=True)
class Vocabulary:
    """Distinct words, sorted; `*_slugs` are the same words as they are written in an e-mail."""

    first_names: tuple[str, ...]
    first_slugs: tuple[str, ...]
    last_names: tuple[str, ...]
    last_slugs: tuple[str, ...]
    companies: tuple[str, ...]
    cities: tuple[str, ...]
    mail_domains: tuple[str, ...]


def slug(word: str) -> str:
    """`word` in lower-case ASCII letters and digits alone ("L'Haÿ" gives "lhay")."""
    ascii_word = unicodedata.normalize("NFKD", word).encode("ascii", "ignore").decode()
    return re.sub("[^a-z0-9]", "", ascii_word.lower())


def _pool(draw: Callable[[], str], draws: int = _DRAWS) -> tuple[str, ...]:
    """The distinct words of many draws; two spellings of one word, but for case, count as one."""
    return tuple(sorted({word.upper(): word for word in (draw() for _ in range(draws))}.values()))


@cache
def vocabulary() -> Vocabulary:
    """The pools, built once a process (about 50 ms)."""
    person = Person(Locale.FR, seed=_POOL_SEED)
    first_names = _pool(person.first_name)
    last_names = _pool(person.last_name)
    hosts = _pool(Internet(seed=_POOL_SEED).hostname, draws=24)
    return Vocabulary(
        first_names=first_names,
        first_slugs=tuple(map(slug, first_names)),
        last_names=last_names,
        last_slugs=tuple(map(slug, last_names)),
        companies=_pool(Finance(Locale.FR, seed=_POOL_SEED).company),
        cities=_pool(Address(Locale.FR, seed=_POOL_SEED).city),
        # Under the reserved top-level domain: nobody can ever be written to.
        mail_domains=tuple(f"{name.partition('.')[0]}.example" for name in hosts),
    )
