"""Whose a data folder is: a gateway's lakehouse leaves a mark there, and others are refused."""

from data_platform.errors import PlatformError
from data_platform.names import DUCKDB, POSTGRES, SPARK, TEAM
from data_platform.settings import Settings

# What lies in the lakehouse's folder: in the place of the DuckDB file for a member of a team,
# beside it where another engine computes.
TEAM_MARK, DATABASE_MARK, SPARK_CATALOGUE = "team.txt", "postgres.txt", "metastore"


def gateway_of(settings: Settings) -> str | None:
    """The gateway whose lakehouse a data folder has, None where it has none."""
    folder = settings.lakehouse.parent
    if (folder / DATABASE_MARK).exists():
        return POSTGRES
    if (folder / SPARK_CATALOGUE).exists():
        return SPARK
    if settings.lakehouse.exists():
        return DUCKDB
    return TEAM if (folder / TEAM_MARK).exists() else None


def refuse_other(settings: Settings) -> None:
    """Refuse a data folder that is another gateway's, which would lose the lakehouse that it has.

    Raises:
        PlatformError: says whose it is, and what to do.
    """
    is_of = gateway_of(settings)
    # SQLMesh refuses a gateway that nobody knows.
    gateway = settings.gateway if settings.gateway in (TEAM, SPARK, POSTGRES) else DUCKDB
    if is_of in (None, gateway):
        return
    moves = {
        TEAM: "take the lakehouse along with: data-platform --gateway team move --to duckdb, ",
        DUCKDB: "take the lakehouse along with: data-platform move --to team, ",
    }
    way = moves.get(str(is_of), "") if gateway in (DUCKDB, TEAM) else ""
    raise PlatformError(
        f"the data folder {settings.data_dir} is of gateway {is_of}; name that (--gateway), {way}"
        "or choose another --data-dir"
    )
