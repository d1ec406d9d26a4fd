"""The copy that is kept of a run which an audit stopped: a view for each failed audit's rows."""

from data_platform.lakehouse.connection import writing
from data_platform.record.rows import StoppedError
from data_platform.settings import Settings

# The schema of the copy that is kept aside, with a view for each audit that stopped the run.
FAILED_SCHEMA = "failed"


def show_failures(private: Settings, error: StoppedError) -> None:
    """Make a view of each failed audit's rows in the copy that is kept, and tell of them."""
    names: list[str] = []
    with writing(private) as connection:
        connection.execute(f"CREATE SCHEMA IF NOT EXISTS {FAILED_SCHEMA}")
        for (model, audit), query in error.queries.items():
            name = f"{model.replace('.', '__')}__{audit.partition('(')[0]}"
            name += f"_{names.count(name) + 1}" if name in names else ""
            names.append(name)
            connection.execute(f'CREATE OR REPLACE VIEW {FAILED_SCHEMA}."{name}" AS {query}')
    if names:
        seen = f'just query "FROM {FAILED_SCHEMA}.{names[0]}" --failed'
        others = f" (and {', '.join(names[1:])})" if names[1:] else ""
        error.add_note(f"to see the rows: {seen}{others}")
