"""The company's applications, here simulated: a source gives its tables, in parts, as of a date.

A real application takes a simulated one's place in `SOURCES`: anything with `parts()`.
"""

from collections.abc import Callable, Iterable
from typing import Protocol

from data_platform.names import SourceName
from data_platform.sources.app import App
from data_platform.sources.company import Company
from data_platform.sources.crm import Crm
from data_platform.sources.dirt import Dirt
from data_platform.sources.part import Part, Settled


class Source(Protocol):
    """An application whose tables can be extracted."""

    def parts(self, settled: Settled) -> Iterable[Part]:
        """The parts of its tables, but those that are settled."""


SOURCES: dict[str, Callable[[Company, Dirt], Source]] = {SourceName.APP: App, SourceName.CRM: Crm}
