"""Times: in UTC whatever zone an application writes them in, or refused."""

from contextlib import closing
from datetime import UTC, date, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import duckdb
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

import database
import mysql
from applications import needs_postgres
from data_platform.errors import PlatformError
from data_platform.simulation import Simulation
from data_platform.sources.column import Column
from data_platform.sources.contract import SourceTable
from data_platform.sources.entries import Entry
from data_platform.sources.exact import Misfits, from_texts
from data_platform.sources.registry import open_source

PARIS = "Europe/Paris"
AT = Column("at", "TIMESTAMP", True, "")
EVENTS = SourceTable("log__events", "", (Column("id", "VARCHAR", False, ""), AT))


def read(kind: str, options: dict, table: SourceTable = EVENTS) -> list:
    """The times that an application gives, in the order of their rows' ids."""
    entry = Entry("log", kind, options, None, None, Path("/"))
    source = open_source(entry, (table,), Simulation(0, 1), date(2024, 2, 29))
    (part,) = source.parts(None, Path("/nowhere"))
    return part.make()["at"].to_list()


WINTER, SUMMER = datetime(2024, 1, 31, 12, 0, 0, 5), datetime(2024, 7, 1, 12)
IN_UTC = [datetime(2024, 1, 31, 11, 0, 0, 5), datetime(2024, 7, 1, 10), None]


@needs_postgres
def test_postgresql_s_times_with_and_without_a_zone(monkeypatch: pytest.MonkeyPatch) -> None:
    with database.server() as address:
        monkeypatch.setenv("LOG_URL", address)
        for type_, values, zone in (
            ("timestamp", [str(WINTER), str(SUMMER)], PARIS),
            ("timestamptz", [f"{WINTER}+01", f"{SUMMER}+02"], PARIS),
            ("timestamptz", [f"{WINTER}+01", f"{SUMMER}+02"], None),
        ):
            database.execute(
                address,
                "DROP TABLE IF EXISTS events",
                f"CREATE TABLE events (id text, at {type_})",
                f"INSERT INTO events VALUES ('1', '{values[0]}'), ('2', '{values[1]}')",
                "INSERT INTO events VALUES ('3', NULL)",
            )
            options = {"url_env": "LOG_URL", **({"time_zone": zone} if zone else {})}
            assert read("postgres", options) == IN_UTC, (type_, zone)
        database.execute(address, "UPDATE events SET at = 'infinity' WHERE id = '2'")
        with pytest.raises(PlatformError, match="column at expected a time, found infinity in 1"):
            read("postgres", {"url_env": "LOG_URL"})
        database.execute(address, "ALTER TABLE events ALTER at TYPE timestamp")
        with pytest.raises(PlatformError, match="a time without its zone; say in the contract"):
            read("postgres", {"url_env": "LOG_URL"})


@pytest.mark.skipif(mysql.program() is None, reason="MariaDB is not installed")
def test_mysql_s_timestamps_and_datetimes(monkeypatch: pytest.MonkeyPatch) -> None:
    with mysql.server() as address:
        monkeypatch.setenv("LOG_URL", address)
        for type_, zone in (("TIMESTAMP(6)", "+00:00"), ("DATETIME(6)", None)):
            winter, summer = IN_UTC[:2] if zone else (WINTER, SUMMER)
            mysql.execute(
                address,
                "DROP TABLE IF EXISTS events",
                f"CREATE TABLE events (id VARCHAR(9), at {type_} NULL)",
                "SET time_zone = '+00:00'",
                f"INSERT INTO events VALUES ('1', '{winter}'), ('2', '{summer}'), ('3', NULL)",
            )
            assert read("mysql", {"url_env": "LOG_URL", "time_zone": PARIS}) == IN_UTC, type_


def test_duckdb_s_times_with_and_without_a_zone(tmp_path: Path) -> None:
    path = tmp_path / "log.duckdb"
    for type_, offset in (("TIMESTAMP", ("", "")), ("TIMESTAMPTZ", ("+01", "+02"))):
        with closing(duckdb.connect(str(path))) as connection:
            connection.execute(f'CREATE OR REPLACE TABLE events (id VARCHAR, "at" {type_})')
            connection.execute(
                f"INSERT INTO events VALUES ('1', '{WINTER}{offset[0]}'), "
                f"('2', '{SUMMER}{offset[1]}'), ('3', NULL)"
            )
        assert read("duckdb", {"file": str(path), "time_zone": PARIS}) == IN_UTC, type_


@given(
    moment=st.datetimes(datetime(1990, 1, 1), datetime(2037, 12, 31)),
    zone=st.sampled_from([PARIS, "America/St_Johns", "Asia/Kathmandu", "UTC"]),
    separator=st.sampled_from("T "),
)
def test_a_time_with_its_offset_is_that_moment(moment: datetime, zone: str, separator: str) -> None:
    there = moment.replace(tzinfo=UTC).astimezone(ZoneInfo(zone))
    text = there.isoformat(separator)
    misfits = Misfits("log.events")
    frame = pl.DataFrame({"id": ["1"], "at": [text]})
    found = from_texts(frame, EVENTS, misfits, {"at": PARIS})
    misfits.refuse()
    assert found["at"][0] == moment


@pytest.mark.parametrize(
    ("text", "zone", "said"),
    [
        ("2024-03-31 02:30:00", PARIS, "one that does not exist"),  # the clocks went forward
        ("2024-10-27 02:30:00", PARIS, "one that does not exist"),  # twice that night
        ("2024-02-30 12:00:00", PARIS, "one that does not exist"),
        ("2024-01-31", PARIS, "something else"),
        ("2024-01-31 12:00:00", None, "one without"),
    ],
)
def test_a_time_that_is_none_or_two_is_refused(text: str, zone: str | None, said: str) -> None:
    misfits = Misfits("log.events")
    frame = pl.DataFrame({"id": ["1"], "at": [text]})
    from_texts(frame, EVENTS, misfits, {"at": zone})
    with pytest.raises(PlatformError, match=f"column at expected .*, found {said} in 1 of 1 rows"):
        misfits.refuse()
