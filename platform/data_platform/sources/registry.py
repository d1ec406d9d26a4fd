"""Which applications there are: an entry each.

A real application takes a simulated one's place here: anything that is a `Source`.
"""

from collections.abc import Callable
from datetime import date
from functools import partial

from data_platform.names import SourceName
from data_platform.simulation import Simulation
from data_platform.sources.simulated.app import App
from data_platform.sources.simulated.crm import Crm
from data_platform.sources.simulated.simulated_source import SimulatedSource
from data_platform.sources.source import Source

SOURCES: dict[str, Callable[[Simulation, date], Source]] = {
    SourceName.APP: partial(SimulatedSource, SourceName.APP, App),
    SourceName.CRM: partial(SimulatedSource, SourceName.CRM, Crm),
}
