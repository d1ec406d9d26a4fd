"""Which applications there are.

A real application takes a simulated one's place here: anything with `parts()`.
"""

from collections.abc import Callable

from data_platform.names import SourceName
from data_platform.sources.simulated.app import App
from data_platform.sources.simulated.company import Company
from data_platform.sources.simulated.crm import Crm
from data_platform.sources.simulated.dirt import Dirt
from data_platform.sources.source import Source

SOURCES: dict[str, Callable[[Company, Dirt], Source]] = {SourceName.APP: App, SourceName.CRM: Crm}
