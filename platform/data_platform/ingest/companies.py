"""A lakehouse is one company's, as of one date: what is loaded has to fit what it holds."""

from collections.abc import Mapping

import duckdb

from data_platform.errors import PlatformError
from data_platform.ingest.manifest import refuse_mixture
from data_platform.record.loads import Batch, LoadedTable, last_load, loaded_tables
from data_platform.result import counted
from data_platform.simulation import RealCompany, Simulation
from data_platform.sources.contract import Contract
from data_platform.sql import has_table, quoted


def refuse_other_company(
    connection: duckdb.DuckDBPyConnection,
    contract: Contract,
    companies: Mapping[str, Simulation | RealCompany],
) -> None:
    """Refuse to load another company, since the history that no extract restores would be lost.

    Args:
        companies: whose data each source is to give.

    Raises:
        PlatformError: a source holds another company's; says what would be lost.
    """
    for name, table in loaded_tables(connection).items():
        held, wanted = table.batch.company, companies.get(name.partition("__")[0])
        if wanted is None or _whose(held) == _whose(wanted):
            continue
        states, loads = 0, 0
        for log in contract.logs:
            if has_table(connection, "sources", log.name):
                row = connection.execute(
                    f"SELECT COUNT(*) FROM sources.{quoted(log.name)}"
                ).fetchone()
                states += row[0] if row else 0
        if (previous := last_load(connection)) is not None:
            loads = previous.load_number
        raise PlatformError(
            f"the lakehouse holds another company, expected {_shown(wanted)}, found "
            f"{_shown(held)}; its history would be lost for good: {counted(loads, 'load')}, "
            f"{states:,} states that tables have shown; to keep it, use another --data-dir; "
            "to give it up: --start-over"
        )


def refuse_mixtures(
    held: Mapping[str, LoadedTable], contract: Contract, batches: Mapping[str, Batch]
) -> None:
    """Refuse extracts of some sources that do not fit what the lakehouse holds of the others.

    Raises:
        PlatformError: they are as of other dates, or two simulated companies.
    """
    for table in contract.extracted:
        if table.source not in batches and table.name in held:
            for source, batch in batches.items():
                refuse_mixture(
                    f"{table.source} in the lakehouse",
                    held[table.name].batch,
                    f"{source} in the extracts",
                    batch,
                )


def _whose(company: Simulation | RealCompany) -> tuple[int, float]:
    """What tells companies apart: a variant is the same company."""
    return company.random_seed, company.scale


def _shown(company: Simulation | RealCompany) -> str:
    is_real = isinstance(company, RealCompany)
    return str(company) if is_real else f"seed {company.random_seed}, scale {company.scale:g}"
