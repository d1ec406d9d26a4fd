"""Every table of `ops`, stated once: its DDL and the data dictionary follow."""

import types
import typing
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields
from datetime import date, datetime
from typing import Annotated, Any

from data_platform.record.rows import Audited, ModelRan, RunRow, StepRow

# A mark of a column beside its description: another type than its Python type's.
INTEGER = "INTEGER"


@dataclass(frozen=True)
class Format:
    """One row: the format of these tables."""

    number: Annotated[int, "A newer number is a newer program's.", INTEGER]


@dataclass(frozen=True)
class Load:
    """One row a table of each load that changed something: what the load made of it."""

    load_number: Annotated[int, "Number of the load, rising.", INTEGER]
    table_name: Annotated[str, "The source table, like app__users."]
    batch_id: Annotated[str, "The batch that was loaded."]
    random_seed: Annotated[int, "Seed of its company."]
    scale: Annotated[float, "Scale of its company."]
    as_of: Annotated[date, "As-of date of the batch."]
    variant: Annotated[str, "What sets the extract apart: dirty, pristine, planted errors."]
    number_of_rows: Annotated[int, "Rows of the table after the load."]
    change: Annotated[str, "nothing, new rows or rewritten rows."]
    rows_added: Annotated[int, "Rows that came."]
    rows_removed: Annotated[int, "Rows that went."]
    first_day: Annotated[
        date | None, "First day that the change reaches; null where rows carry no date."
    ]
    last_day: Annotated[date | None, "Last day that it reaches; null where all after the first."]
    run_number: Annotated[int | None, "The run that published the load; null until then."] = None


@dataclass(frozen=True)
class LoadedFile:
    """One row a file whose rows the raw tables hold, as it was when it was verified."""

    table_name: Annotated[str, "The source table."]
    path: Annotated[str, "The file, from the folder of the extracts."]
    digest: Annotated[str, "SHA-256 of its bytes."]
    number_of_rows: Annotated[int, "Its rows."]
    first_date: Annotated[date | None, "Earliest event in it, of tables of events."]
    last_date: Annotated[date | None, "Latest event in it."]
    size: Annotated[int, "Its size in bytes."]
    modified_ns: Annotated[int, "When it was last modified, in nanoseconds since 1970."]
    unknown_columns: Annotated[
        tuple[str, ...] | None,
        "Columns that the contract does not know, where the load was told to accept them.",
    ] = None


@dataclass(frozen=True)
class SchemaChangeMade:
    """One row per schema difference that a load applied to a raw table."""

    load_number: Annotated[int, "The load that did so.", INTEGER]
    table_name: Annotated[str, "The source table."]
    change: Annotated[str, "The difference, in words."]


@dataclass(frozen=True)
class ModelTable:
    """One row per table or view of a model: the last load that it includes; no row if unknown."""

    physical_name: Annotated[str, "Table or view, with catalog and schema."]
    load_number: Annotated[int, "The load.", INTEGER]
    reach: Annotated[
        str | None,
        "The tags by which its months were chosen, null where others than the platform built it.",
    ] = None


@dataclass(frozen=True)
class StandingWarning:
    """One row a warning that stands, of an audit that stops nothing."""

    load_number: Annotated[int, "Kept for older versions: 0.", INTEGER]
    model_name: Annotated[str, "The model, or the source table."]
    audit: Annotated[str, "The claim that does not hold."]
    number_of_rows: Annotated[int, "Rows that break it."]
    keys: Annotated[tuple[str, ...], "Keys of the first of them; no personal data."]
    sentence: Annotated[str | None, "What was found, for a person."] = None
    since: Annotated[date | None, "As-of date of the data in which it was found first."] = None


@dataclass(frozen=True)
class TransformDone:
    """One row a load that all of production reflected."""

    load_number: Annotated[int, "The load.", INTEGER]
    finished_at: Annotated[datetime, "When production came to reflect it."]
    change_number: Annotated[
        int | None, "Rises each time that production changes: a clock may be set back."
    ] = None


@dataclass(frozen=True)
class Vouched:
    """One row a version of a model that was audited whole, in a plan, and nothing was found."""

    model_name: Annotated[str, "The model."]
    version: Annotated[str, "SQLMesh's identifier of the version."]
    load_number: Annotated[int, "The load whose data it showed.", INTEGER]
    contents: Annotated[str, "A digest of what its tables, and those below it, held."]


@dataclass(frozen=True)
class Recount:
    """One row: the last time that all audits read all of time, and found nothing that stops."""

    load_number: Annotated[int, "The load that production showed.", INTEGER]
    as_of: Annotated[date, "Its as-of date."]
    finished_at: Annotated[datetime, "When."]


@dataclass(frozen=True)
class Export:
    """One row an export file: which change of production it shows."""

    file_name: Annotated[str, "The file."]
    change_number: Annotated[int, "Number of the change."]


@dataclass(frozen=True)
class ControlTotal:
    """One row a column of an export that adds up to the total of the invoices."""

    export_name: Annotated[str, "The export."]
    column_name: Annotated[str, "Its column, by the model's tag."]


@dataclass(frozen=True)
class EnvironmentKnown:
    """One row an environment beside production, as of the last transform or plan."""

    environment: Annotated[str, "The environment."]
    expires_at: Annotated[datetime | None, "When it expires."]


@dataclass(frozen=True)
class EnvironmentBehind:
    """One row an environment that does not show the last load."""

    environment: Annotated[str, "The environment."]
    models: Annotated[tuple[str, ...], "Its models that do not."]


@dataclass(frozen=True)
class Plan:
    """One row an environment: after which promotion it was planned; without a row, the last."""

    environment: Annotated[str, "The environment."]
    plan_id: Annotated[str, "SQLMesh's identifier of the plan."]
    promotion_number: Annotated[int, "The promotion.", INTEGER]


@dataclass(frozen=True)
class PromotionMade:
    """One row a change of production's code, whoever made it."""

    promotion_number: Annotated[int, "Number of the change, rising.", INTEGER]
    action: Annotated[str, "deployed, promoted, rolled back; found: by SQLMesh's own commands."]
    environment: Annotated[str, "The environment that was promoted, or empty."]
    promoted_at: Annotated[datetime, "When."]
    load_number: Annotated[int, "The last load then.", INTEGER]
    goes_back_to: Annotated[int | None, "The promotion that a rollback restored.", INTEGER]
    models: Annotated[tuple[str, ...], "The models that were changed, added or removed."]
    run_number: Annotated[int | None, "The run that published it; null until then."] = None


@dataclass(frozen=True)
class PromotedModel:
    """One row a model of each promotion: its version."""

    promotion_number: Annotated[int, "The promotion.", INTEGER]
    name: Annotated[str, "The model, by SQLMesh's name."]
    identifier: Annotated[str, "SQLMesh's identifier of the version."]


@dataclass(frozen=True)
class ModelCode:
    """One row a version of a model that production ever had: its code."""

    name: Annotated[str, "The model, by SQLMesh's name."]
    identifier: Annotated[str, "SQLMesh's identifier of the version."]
    code: Annotated[str, "SQLMesh's snapshot of it, as JSON."]
    sqlmesh_version: Annotated[str | None, "The SQLMesh that wrote it, null if old."] = None


# Those that journals are folded into, and those that hold what there is.
JOURNALED: Mapping[str, type[Any]] = {
    "runs": RunRow,
    "steps": StepRow,
    "models": ModelRan,
    "audits": Audited,
}
TABLES: Mapping[str, type[Any]] = {
    **JOURNALED,
    "loads": Load,
    "loaded_files": LoadedFile,
    "schema_changes": SchemaChangeMade,
    "model_tables": ModelTable,
    "standing_warnings": StandingWarning,
    "transforms": TransformDone,
    "recounts": Recount,
    "vouched": Vouched,
    "promotions": PromotionMade,
    "promoted_models": PromotedModel,
    "model_code": ModelCode,
    "environments": EnvironmentKnown,
    "environments_behind": EnvironmentBehind,
    "plans": Plan,
    "exports": Export,
    "control_totals": ControlTotal,
    "format": Format,
}
_TYPES: Mapping[Any, str] = {
    int: "BIGINT",
    float: "DOUBLE",
    str: "VARCHAR",
    bool: "BOOLEAN",
    date: "DATE",
    datetime: "TIMESTAMPTZ",
    tuple[str, ...]: "VARCHAR[]",
}
RUN_NUMBER = "run_number"


@dataclass(frozen=True)
class RecordColumn:
    """A column of a table of `ops`; `type` is DuckDB's."""

    name: str
    type: str
    nullable: bool
    description: str
    # What rows have in it that were written before there was the column; None for null.
    default: Any = None


def described(table: str) -> str:
    """What one row of a table of `ops` is; empty where there is no such table."""
    return (TABLES[table].__doc__ or "").partition("\n")[0] if table in TABLES else ""


def columns(row: type[Any]) -> tuple[RecordColumn, ...]:
    """The columns of a table of `ops`, by the dataclass of its rows."""
    hints = typing.get_type_hints(row, include_extras=True)
    is_of_run = row is not RunRow and row in JOURNALED.values()
    found = [RecordColumn(RUN_NUMBER, "BIGINT", False, "The run.")] if is_of_run else []
    for field in fields(row):
        type_, description, *marks = typing.get_args(hints[field.name])
        nullable = isinstance(type_, types.UnionType)
        if nullable:
            (type_,) = (one for one in typing.get_args(type_) if one is not types.NoneType)
        found.append(
            RecordColumn(
                field.name,
                INTEGER if INTEGER in marks else _TYPES[type_],
                nullable,
                description,
                None if field.default is MISSING else field.default,
            )
        )
    return tuple(found)


def ddl() -> str:
    """The statements that make the tables of `ops`, and their columns, where they are missing."""
    statements = []
    for name, row in TABLES.items():
        wanted = columns(row)
        parts = [f"{c.name} {c.type}{'' if c.nullable else ' NOT NULL'}" for c in wanted]
        statements.append(f"CREATE TABLE IF NOT EXISTS ops.{name} ({', '.join(parts)});")
        statements += [
            f"ALTER TABLE ops.{name} ADD COLUMN IF NOT EXISTS {c.name} {c.type}"
            + (f" DEFAULT {c.default};" if c.default is not None else ";")
            for c in wanted
            if c.nullable or c.default is not None
        ]
    return "\n".join(statements)
