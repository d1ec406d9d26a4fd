"""The load step: from the extracts to raw tables, after the contract has been checked."""

import hashlib
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb
import polars as pl

from data_platform.contract import Contract, SourceTable, read_contract
from data_platform.errors import PlatformError
from data_platform.files import file_digest
from data_platform.lakehouse import (
    LoadedTable,
    has_table,
    last_load,
    loaded_tables,
    prepare,
    writing,
)
from data_platform.manifest import Batch, ExtractedFile, Manifest, read_manifest, refuse_mixture
from data_platform.settings import Settings


@dataclass(frozen=True)
class Loaded:
    """What a load did; without changed tables it left everything as it was."""

    batch: Batch
    load_number: int
    rows: int
    changed_tables: tuple[str, ...]
    changed: bool


def _check_file(table: SourceTable, file: ExtractedFile, folder: Path) -> Path:
    """The file's path, once it is what the manifest and the contract say.

    Raises:
        PlatformError: names the table, the file or column, what was expected and found.
    """
    path = folder / file.path
    where = f"{table.key}: file {file.path}"
    if not path.resolve().is_relative_to(folder.resolve()):
        raise PlatformError(f"{where} lies outside of the extracts' folder {folder}")
    if not path.is_file():
        raise PlatformError(f"{where} is in the manifest but not in {folder}; extract again")
    if (found := file_digest(path)) != file.digest:
        raise PlatformError(
            f"{where} was changed or cut short: expected digest {file.digest[:12]}…, "
            f"found {found[:12]}…; extract again"
        )
    try:
        schema = pl.read_parquet_schema(path)
        rows = pl.scan_parquet(path).select(pl.len()).collect().item()
    except (pl.exceptions.PolarsError, OSError) as error:
        raise PlatformError(f"{where} is not a Parquet file; extract again") from error
    _check_columns(where, table, schema)
    if rows != file.rows:
        raise PlatformError(f"{where} has {rows} rows, expected {file.rows}; extract again")
    return path


def _check_columns(where: str, table: SourceTable, found: dict[str, pl.DataType]) -> None:
    expected = table.polars_schema
    for name, type_ in expected.items():
        if name not in found:
            raise PlatformError(
                f"{where} lacks column {name}; expected {', '.join(expected)}, "
                f"found {', '.join(found)}"
            )
        if found[name] != type_:
            raise PlatformError(f"{where}: column {name} has type {found[name]}, expected {type_}")
    if added := [name for name in found if name not in expected]:
        raise PlatformError(
            f"{where} has column {added[0]}, which the contract does not know; "
            f"expected {', '.join(expected)}"
        )
    if list(found) != list(expected):
        raise PlatformError(
            f"{where} has its columns in another order: expected {', '.join(expected)}, "
            f"found {', '.join(found)}"
        )


def _check_extracts(
    contract: Contract, manifest: Manifest, sources: tuple[str, ...], folder: Path
) -> dict[SourceTable, list[Path]]:
    """The files of every table of `sources`, all of them checked."""
    files: dict[SourceTable, list[Path]] = {}
    for table in contract.of_sources(sources):
        if table.key not in manifest.tables:
            raise PlatformError(f"{table.key} is not in the manifest; extract again")
        files[table] = [_check_file(table, file, folder) for file in manifest.tables[table.key]]
    return files


def _replace_table(
    connection: duckdb.DuckDBPyConnection, table: SourceTable, files: Sequence[Path]
) -> None:
    """Replace a raw table with the rows of its files.

    Raises:
        PlatformError: a column that may not be null is.
    """
    name = f'sources."{table.name}"'
    connection.execute(f"CREATE OR REPLACE TABLE {name} ({table.ddl})")
    if not files:
        return
    try:
        connection.execute(
            f"INSERT INTO {name} SELECT {table.column_list} FROM read_parquet($files)",
            {"files": [str(path) for path in files]},
        )
    except duckdb.ConstraintException as error:
        column = re.search(r"NOT NULL constraint failed: \S+\.(\S+)", str(error))
        raise PlatformError(
            f"{table.key}: column {column[1] if column else '?'} is null in some rows, "
            "which the contract does not allow"
        ) from error


def _append_to_log(connection: duckdb.DuckDBPyConnection, contract: Contract, batch: Batch) -> None:
    """Add the CRM entries that the log does not hold yet, value for value."""
    log, customers = contract.tables["crm__customers_log"], contract.tables["crm__customers"]
    same = " AND ".join(
        f'log."{column.name}" IS NOT DISTINCT FROM seen."{column.name}"'
        for column in customers.columns
    )
    connection.execute(
        f"INSERT INTO sources.crm__customers_log ({log.column_list}) "
        f"SELECT DISTINCT {customers.column_list}, CAST($as_of AS DATE) "
        "FROM sources.crm__customers AS seen "
        f"WHERE NOT EXISTS (SELECT 1 FROM sources.crm__customers_log AS log WHERE {same})",
        {"as_of": batch.as_of},
    )


def _refuse_mixtures(
    held: dict[str, LoadedTable], contract: Contract, sources: tuple[str, ...], batch: Batch
) -> None:
    for table in contract.extracted:
        if table.source not in sources and table.name in held:
            refuse_mixture(
                f"{table.source} in the lakehouse",
                held[table.name].batch,
                f"{sources[0]} in the extracts",
                batch,
            )


def load(
    settings: Settings,
    sources: Sequence[str] = (),
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Loaded:
    """Load sources (all of them by default) from the extracts, in one transaction.

    Args:
        progress: called with (tables done, tables in all).

    Raises:
        PlatformError: the extracts break the contract or would mix batches; nothing was changed.
    """
    contract = read_contract(settings.project_dir)
    manifest = read_manifest(settings.sources_dir)
    chosen = tuple(dict.fromkeys(sources or (table.source for table in contract.extracted)))
    batch = manifest.one_batch(chosen)
    files = _check_extracts(contract, manifest, chosen, settings.sources_dir)
    rows = {table: sum(file.rows for file in manifest.tables[table.key]) for table in files}
    digests = {
        table: hashlib.sha256(
            "\n".join(file.digest for file in manifest.tables[table.key]).encode()
        ).hexdigest()
        for table in files
    }

    with writing(settings.lakehouse) as connection:
        held = loaded_tables(connection)
        _refuse_mixtures(held, contract, chosen, batch)
        changed = [
            table
            for table in files
            if table.name not in held
            or held[table.name].digest != digests[table]
            or not has_table(connection, "sources", table.name)
        ]
        previous = last_load(connection)
        number = 0 if previous is None else previous.load_number
        is_news = bool(changed) or any(held[table.name].batch != batch for table in files)
        if is_news:
            number += 1
            connection.begin()
            prepare(connection)
            for done, table in enumerate(changed):
                progress(done, len(changed))
                _replace_table(connection, table, files[table])
            for name in ("crm__customers_log", "platform__extracts"):
                connection.execute(
                    f"CREATE TABLE IF NOT EXISTS sources.{name} ({contract.tables[name].ddl})"
                )
            if previous and (previous.random_seed, previous.scale) != (
                batch.random_seed,
                batch.scale,
            ):
                connection.execute("DELETE FROM sources.crm__customers_log")  # another company
            if "crm" in chosen:
                _append_to_log(connection, contract, batch)
            connection.execute(
                f"INSERT INTO sources.platform__extracts "
                f"({contract.tables['platform__extracts'].column_list}) "
                "VALUES (?, ?, ?, ?, ?, CAST(NOW() AT TIME ZONE 'UTC' AS TIMESTAMP))",
                [number, batch.batch_id, batch.as_of, batch.random_seed, batch.scale],
            )
            connection.executemany(
                "INSERT INTO ops.loads VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                [
                    [
                        number,
                        table.name,
                        batch.batch_id,
                        batch.random_seed,
                        batch.scale,
                        batch.as_of,
                        batch.variant,
                        rows[table],
                        digests[table],
                        table in changed,
                    ]
                    for table in files
                ],
            )
            connection.commit()
            progress(len(changed), len(changed))
    return Loaded(
        batch=batch,
        load_number=number,
        rows=sum(rows.values()),
        changed_tables=tuple(table.key for table in changed),
        changed=is_news,
    )
