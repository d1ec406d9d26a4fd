"""The tables of ops in which the platform writes down what it did, and their format."""

import duckdb

from data_platform.errors import NewerError
from data_platform.record.rows import TABLES, ddl
from data_platform.sql import has_table

# What this program writes down in a lakehouse, and how; a newer number is a newer program's.
FORMAT = 5
_BOOKKEEPING = """
CREATE SCHEMA IF NOT EXISTS sources;
CREATE SCHEMA IF NOT EXISTS ops;
CREATE TABLE IF NOT EXISTS ops.format (number INTEGER NOT NULL);
-- A row for each table of each load that changed something: what the load made of it.
CREATE TABLE IF NOT EXISTS ops.loads (
  load_number INTEGER NOT NULL,
  table_name VARCHAR NOT NULL,
  batch_id VARCHAR NOT NULL,
  random_seed BIGINT NOT NULL,
  scale DOUBLE NOT NULL,
  as_of DATE NOT NULL,
  variant VARCHAR NOT NULL,
  number_of_rows BIGINT NOT NULL,
  change VARCHAR NOT NULL,
  rows_added BIGINT NOT NULL,
  rows_removed BIGINT NOT NULL,
  -- The days that the change can reach: none where rows carry no date, no last one where all after.
  first_day DATE,
  last_day DATE,
  -- The run that published the load; null until then.
  run_number BIGINT
);
-- The files whose rows the raw tables hold, as they were when they were verified.
CREATE TABLE IF NOT EXISTS ops.loaded_files (
  table_name VARCHAR NOT NULL,
  path VARCHAR NOT NULL,
  digest VARCHAR NOT NULL,
  number_of_rows BIGINT NOT NULL,
  first_date DATE,
  last_date DATE,
  size BIGINT NOT NULL,
  modified_ns BIGINT NOT NULL,
  -- Columns that the contract does not know, where the load was told to accept them.
  unknown_columns VARCHAR[]
);
-- How raw tables have followed the contract, in words.
CREATE TABLE IF NOT EXISTS ops.schema_changes (
  load_number INTEGER NOT NULL,
  table_name VARCHAR NOT NULL,
  change VARCHAR NOT NULL
);
-- Which load each physical table or view of a model reflects; one that is not here is unknown.
CREATE TABLE IF NOT EXISTS ops.model_tables (
  physical_name VARCHAR PRIMARY KEY,
  load_number INTEGER NOT NULL
);
-- The non-blocking audits that found rows when their model was last audited.
CREATE TABLE IF NOT EXISTS ops.standing_warnings (
  load_number INTEGER NOT NULL,
  model_name VARCHAR NOT NULL,
  audit VARCHAR NOT NULL,
  number_of_rows BIGINT NOT NULL,
  keys VARCHAR[] NOT NULL,
  -- What was found, for a person, and the as-of date of the data in which it was found first.
  sentence VARCHAR,
  since DATE
);
-- A row for each transform after which all of production reflected a load.
CREATE TABLE IF NOT EXISTS ops.transforms (
  load_number INTEGER NOT NULL,
  finished_at TIMESTAMPTZ NOT NULL,
  -- Rises each time that production has changed: a clock may be set back, a number not.
  change_number BIGINT
);
-- Which change of production each export file shows.
CREATE TABLE IF NOT EXISTS ops.exports (
  file_name VARCHAR PRIMARY KEY,
  change_number BIGINT NOT NULL
);
-- Which column of which export adds up to the total of the invoices, by the models' tags.
CREATE TABLE IF NOT EXISTS ops.control_totals (
  export_name VARCHAR NOT NULL,
  column_name VARCHAR NOT NULL
);
-- The environments beside production, and when they expire, as of the last transform or plan.
CREATE TABLE IF NOT EXISTS ops.environments (
  environment VARCHAR PRIMARY KEY,
  expires_at TIMESTAMPTZ
);
-- The environments beside production with tables that do not reflect the last load.
CREATE TABLE IF NOT EXISTS ops.environments_behind (
  environment VARCHAR NOT NULL,
  models VARCHAR[] NOT NULL
);
-- After which promotion each environment was planned, by SQLMesh's identifier of the plan; one that
-- is not here was planned after the last.
CREATE TABLE IF NOT EXISTS ops.plans (
  environment VARCHAR PRIMARY KEY,
  plan_id VARCHAR NOT NULL,
  promotion_number INTEGER NOT NULL
);
-- A row each time that production's code changed, whoever changed it.
CREATE TABLE IF NOT EXISTS ops.promotions (
  promotion_number INTEGER PRIMARY KEY,
  action VARCHAR NOT NULL,
  environment VARCHAR NOT NULL,
  promoted_at TIMESTAMPTZ NOT NULL,
  load_number INTEGER NOT NULL,
  -- The promotion whose code a rollback restored.
  goes_back_to INTEGER,
  -- The models that were changed, added or removed.
  models VARCHAR[] NOT NULL,
  -- The run that published it; null until then.
  run_number BIGINT
);
-- The version of each model in production after each promotion, and the code of each version.
CREATE TABLE IF NOT EXISTS ops.promoted_models (
  promotion_number INTEGER NOT NULL,
  name VARCHAR NOT NULL,
  identifier VARCHAR NOT NULL
);
CREATE TABLE IF NOT EXISTS ops.model_code (
  name VARCHAR NOT NULL,
  identifier VARCHAR NOT NULL,
  code VARCHAR NOT NULL,
  PRIMARY KEY (name, identifier)
);
"""
# What one row of each of these tables is, for who looks for something to read.
OF_RECORD = {
    **{name: (row.__doc__ or "").partition("\n")[0] for name, row in TABLES.items()},
    "loads": "One row a table of each load that changed something: what the load made of it.",
    "loaded_files": "One row a file whose rows the raw tables hold.",
    "schema_changes": "One row a difference by which a raw table has followed the contract.",
    "model_tables": "One row a table of a model: the load that it reflects.",
    "standing_warnings": "One row a warning that stands, of an audit that stops nothing.",
    "transforms": "One row a load that all of production reflected.",
    "promotions": "One row a change of production's code.",
    "promoted_models": "One row a model of each promotion: its version.",
    "model_code": "One row a version of a model that production ever had: its code.",
    "environments": "One row an environment beside production, as of the last transform or plan.",
    "environments_behind": "One row an environment that does not show the last load.",
    "plans": "One row an environment: after which promotion it was planned.",
    "exports": "One row an export file: which change of production it shows.",
    "control_totals": "One row a column of an export that adds up to the total of the invoices.",
    "format": "One row: the format of these tables.",
}
# Format 2 lacked the record of runs, and of loads what they have to do with it; format 3 the record
# of promotions.
_AMEND = """
ALTER TABLE ops.loaded_files ADD COLUMN IF NOT EXISTS unknown_columns VARCHAR[];
ALTER TABLE ops.loads ADD COLUMN IF NOT EXISTS run_number BIGINT;
ALTER TABLE ops.transforms ADD COLUMN IF NOT EXISTS change_number BIGINT;
ALTER TABLE ops.standing_warnings ADD COLUMN IF NOT EXISTS sentence VARCHAR;
ALTER TABLE ops.standing_warnings ADD COLUMN IF NOT EXISTS since DATE;
ALTER TABLE ops.audits ADD COLUMN IF NOT EXISTS sentence VARCHAR;
ALTER TABLE ops.audits ADD COLUMN IF NOT EXISTS is_unknown BOOLEAN DEFAULT FALSE;
DELETE FROM ops.format;
"""
# What format 1 holds otherwise; without it the next load and transform do everything anew.
_FORGET = "".join(
    f"DROP TABLE IF EXISTS ops.{table};"
    for table in ("format", "loads", "model_versions", "standing_warnings", "transforms")
)


def prepare(connection: duckdb.DuckDBPyConnection) -> None:
    """Make what the platform keeps in the lakehouse, where it is missing or of an older format.

    Raises:
        PlatformError: a newer version of the program wrote the lakehouse.
    """
    found = _format(connection)
    if found == FORMAT:
        return
    if found == 1:
        connection.execute(_FORGET)
    if found < FORMAT:  # it told times, not numbers
        connection.execute("DROP TABLE IF EXISTS ops.plans")
    connection.execute(_BOOKKEEPING + ddl())
    connection.execute(_AMEND)
    connection.execute("INSERT INTO ops.format VALUES (?)", [FORMAT])


def _format(connection: duckdb.DuckDBPyConnection) -> int:
    """The format of what the platform keeps in the lakehouse, 0 where it keeps nothing yet."""
    if has_table(connection, "ops", "format"):
        row = connection.execute("SELECT MAX(number) FROM ops.format").fetchone()
        found = row[0] if row and row[0] is not None else 1
    else:
        found = 1 if has_table(connection, "ops", "loads") else 0
    if found > FORMAT:
        raise NewerError(
            f"the lakehouse was written by a newer version of the platform: it has format {found}, "
            f"this version knows {FORMAT}; update the project, or choose another --data-dir"
        )
    return int(found)
