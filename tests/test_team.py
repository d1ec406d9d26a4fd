"""A team on one lakehouse: DuckLake on a PostgreSQL server of the tests' own."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import date
from pathlib import Path
from uuid import uuid4

import pytest

from comparison import assert_exports_equal_the_reference, assert_models_equal_the_reference
from conftest import AS_OF, COMPANY, PROJECT, SCALE, Platform, begin, options_of
from data_platform.ingest.extract import extract
from data_platform.ingest.load import load
from data_platform.lakehouse.connection import reading, writing
from data_platform.lakehouse.postgres_server import Server
from data_platform.lakehouse.reader_copy import snapshot
from data_platform.lakehouse.run import running
from data_platform.lakehouse.team.catalogue import Catalogues
from data_platform.lakehouse.team.merge import _STATE_KEYS, carry_over
from data_platform.settings import Settings
from data_platform.sql import has_table
from database import PASSWORD, libpq
from faults import status_of
from forked import Boundary
from parity import assert_parity, shown

pytestmark = pytest.mark.slow(reason="a PostgreSQL server, and runs on it")

_OURS = "DATA_PLATFORM_TEAM"
TEAM = ["--scale", str(SCALE), "--as-of"]
# A change of a model that none of its unit tests sees.
MORE = (
    "COALESCE(active.freelancers, 0)",
    "(COALESCE(active.freelancers, 0) + CASE WHEN spine.month = DATE '2023-07-01' THEN 1 ELSE 0"
    " END)",
)
NEXT_DAYS = ["2024-03-01", "2024-03-02", "2024-03-03"]


class Team(Platform):
    """A member of the team, with a data folder of its own."""

    def environment(self) -> dict[str, str]:
        return {name: said for name, said in os.environ.items() if name.startswith(_OURS)}

    def day(self, day: str) -> None:
        self.options = [*TEAM, day]

    def rows(self, sql: str) -> list[tuple]:
        with reading(self.settings(), locked_down=False) as connection:
            return connection.execute(sql).fetchall()


@pytest.fixture
def team(address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Team:
    """A team without a lakehouse yet."""
    for name, value in {
        **libpq(address),
        "DATA_PLATFORM_TEAM_DATA": str(tmp_path / "warehouse"),
        "DATA_PLATFORM_TEAM_NAME": f"t{uuid4().hex[:20]}",
    }.items():
        monkeypatch.setenv(name, value)
    return Team(tmp_path / "data", options=[*TEAM, str(AS_OF)], gateway="team")


def another(team: Team, name: str) -> Team:
    """Another member, who has a working tree of their own."""
    folder = team.data.parent / name
    folder.mkdir()
    member = Team(folder / "data", folder / "project", team.options, "team")
    member.copy_project()
    return member


def touch(member: Team, model: str, old: str, new: str) -> None:
    path = member.project / "models" / f"{model.replace('.', '/')}.sql"
    text = path.read_text(encoding="utf-8")
    assert text.count(old) == 1
    path.write_text(text.replace(old, new), encoding="utf-8")


def catalogues(kind: str) -> list[str]:
    with Server() as found:
        return Catalogues(found, os.environ["DATA_PLATFORM_TEAM_NAME"]).schemas(kind)


def test_a_team_s_lakehouse_is_the_default_s_row_for_row(team: Team, tmp_path: Path) -> None:
    alone = Platform(tmp_path / "alone" / "data")
    alone.data.parent.mkdir()
    begin(alone)
    team.call("run")
    assert_parity(team, alone)
    assert_models_equal_the_reference_of(team)

    team.day(NEXT_DAYS[0])
    done = team.call("run").stdout
    assert "restated" in done
    alone.call("run", options=options_of(NEXT_DAYS[0]))
    assert_parity(team, alone)
    assert_exports_equal_the_reference(team)

    # A change of the models, promoted and rolled back, on both.
    for platform in (team, alone):
        platform.project = tmp_path / type(platform).__name__
        platform.copy_project()
        path = platform.project / "models/marts/kpi__active_freelancers.sql"
        text = path.read_text(encoding="utf-8")
        path.write_text(text.replace(*MORE), encoding="utf-8")
        platform.options = platform.options if platform is team else options_of(NEXT_DAYS[0])
        before = shown(platform)
        platform.call("plan", "dev")
        platform.call("promote", "dev")
        changed = shown(platform)
        assert changed["marts.kpi__active_freelancers"] != before["marts.kpi__active_freelancers"]
        platform.call("rollback")
        assert (shown(platform) == before) is True
        assert changed["marts.kpi__nps"] == before["marts.kpi__nps"]
    assert_parity(team, alone)


def assert_models_equal_the_reference_of(team: Team) -> None:
    with reading(team.settings(), locked_down=False) as connection:
        assert_models_equal_the_reference(team, cursor=connection)


@pytest.mark.parametrize(
    ("boundary", "is_published"),
    [
        (Boundary("ingest.load", "record_load"), False),
        (Boundary("transform.production", "compute"), False),
        (Boundary("lakehouse.run", "fold"), False),
        (Boundary("lakehouse.team.ducklake", "compact", is_after=True), False),
        (Boundary("lakehouse.team.ducklake", "DuckLake.commit"), False),
        (Boundary("lakehouse.team.catalogue", "Catalogues.rename", is_after=True), False),
        (Boundary("lakehouse.team.ducklake", "remove_old_releases"), True),
        (Boundary("lakehouse.releases", "Releases._point_to"), True),
    ],
    ids=str,
)
def test_a_run_that_is_killed_leaves_what_the_next_can_use(
    team: Team, boundary: Boundary, is_published: bool
) -> None:
    team.call("run")
    before = shown(team)
    team.day(NEXT_DAYS[0])
    started = team.start("run", boundary=boundary)
    assert started.join() == -signal.SIGKILL
    assert (shown(team) != before) is is_published

    done = team.call("run").stdout
    assert ("nothing changed" in done) == is_published
    assert catalogues("w") == []
    assert [run["outcome"] for run in status_of(team)["runs"]][::-1] == [
        "succeeded",
        "succeeded" if is_published else "killed",
        "succeeded",
    ]
    assert_exports_equal_the_reference(team)
    assert_models_equal_the_reference_with_its_log(team)


def assert_models_equal_the_reference_with_its_log(team: Team) -> None:
    with reading(team.settings(), locked_down=False) as connection:
        assert_models_equal_the_reference(team, keeps_log=True, cursor=connection)


@contextmanager
def standing_before_its_publication(member: Team, *words: str, refusal: str = "") -> Iterator[None]:
    """A command at work beside the block, which is published, or refused, after it."""
    gate = member.data.parent / f"gate-{uuid4().hex}"
    boundary = Boundary("lakehouse.team.ducklake", "one_at_a_time")
    started = member.start(*words, boundary=boundary, gate=gate)
    started.reach(gate)
    yield
    gate.touch()
    code = started.join()
    assert code == bool(refusal), started.stdout + started.stderr
    assert refusal in started.stderr


def test_analysts_plan_while_the_daily_run_goes_on(team: Team) -> None:
    team.call("run")
    anna, omar = another(team, "anna"), another(team, "omar")
    touch(
        anna,
        "marts.kpi__nps_monthly",
        "::DECIMAL(5, 2) AS nps",
        "::DECIMAL(6, 2)::DECIMAL(5, 2) AS nps",
    )
    touch(omar, "marts.kpi__active_freelancers", *MORE)
    # Both plans, and a day, begin from the same release, and are published one after the other.
    team.day(NEXT_DAYS[0])
    with (
        standing_before_its_publication(anna, "plan", "anna"),
        standing_before_its_publication(team, "run"),
    ):
        omar.call("plan", "omar")
        in_omar_s = omar.rows("SELECT SUM(active) FROM marts__omar.kpi__active_freelancers")
    # The day's models are right, and both environments are there, as of the day before.
    assert team.rows("SELECT MAX(as_of)::TEXT FROM sources.platform__extracts") == [(NEXT_DAYS[0],)]
    assert_models_equal_the_reference_with_its_log(team)
    assert_exports_equal_the_reference(team)
    assert team.rows("SELECT SUM(active) FROM marts__omar.kpi__active_freelancers") == in_omar_s
    assert len(team.rows("FROM marts__anna.kpi__nps_monthly")) > 10
    assert {run["command"] for run in status_of(team)["runs"]} == {"run", "plan anna", "plan omar"}
    assert set(status_of(team)["environments"]) == {"anna", "omar"}

    # They can be planned again over the new day, promoted, and rolled back.
    refused = omar.call("promote", "omar", check=False)
    assert "is behind production: it does not show load 2" in refused.stderr
    omar.options = team.options
    omar.call("plan", "omar")
    omar.call("promote", "omar")
    promoted = team.rows("SELECT SUM(active) FROM marts.kpi__active_freelancers")
    assert promoted == team.rows("SELECT SUM(active) FROM marts__omar.kpi__active_freelancers")
    team.call("rollback")
    assert_models_equal_the_reference_with_its_log(team)
    assert team.rows("SELECT COUNT(*) FROM ops.model_tables GROUP BY physical_name") == (
        [(1,)] * len(team.rows("FROM ops.model_tables"))
    )


def test_of_what_both_sides_have_changed_ours_stands(lived_in: Team) -> None:
    settings = replace(lived_in.settings(), warehouse=lived_in.data.parent / "warehouse")
    with Server() as found:
        of = Catalogues(found, os.environ["DATA_PLATFORM_TEAM_NAME"])
        (release,) = of.schemas("r")
        base, theirs, ours = (of.private(number) for number in (901, 902, 903))
        state = [f'"{release}_state"."{table}"' for table in _STATE_KEYS]
        found.execute(f'CREATE SCHEMA IF NOT EXISTS "{release}_state"')
        for table, keys in zip(state, _STATE_KEYS.values(), strict=True):
            columns = ", ".join(f"{key} TEXT" for key in (*keys, "said"))
            found.execute(f"CREATE TABLE IF NOT EXISTS {table} ({columns})")
        found.execute(f"INSERT INTO {state[0]} VALUES ('both', '1', 'before'), ('kept', '1', '')")
        of.copy(release, base)
        with writing(replace(settings, catalogue=base)) as connection:
            connection.execute("CREATE TABLE sources.both AS SELECT 'before' AS said")
            connection.execute("CREATE TABLE sources.gone AS SELECT 1 AS number")
            connection.execute(
                "INSERT INTO ops.model_tables VALUES ('both', 1, ''), ('mine', 1, '')"
            )
        of.copy(base, theirs)
        of.copy(base, ours)
        with writing(replace(settings, catalogue=theirs)) as connection:
            connection.execute("UPDATE sources.both SET said = 'theirs'")
            connection.execute("DROP TABLE sources.gone")
            connection.execute("CREATE TABLE sources.fresh AS SELECT 'theirs' AS said")
            connection.execute("CREATE VIEW sources.b AS FROM sources.fresh")
            connection.execute("CREATE VIEW sources.a AS FROM sources.b")
            connection.execute("UPDATE ops.model_tables SET load_number = 2")
        found.execute(f'UPDATE "{theirs}_state"."_snapshots" SET said = \'theirs\'')
        with writing(replace(settings, catalogue=ours)) as connection:
            connection.execute("UPDATE sources.both SET said = 'ours'")
            connection.execute(
                "UPDATE ops.model_tables SET load_number = 3 WHERE physical_name = 'both'"
            )
        found.execute(
            f"UPDATE \"{ours}_state\".\"_snapshots\" SET said = 'ours' WHERE name = 'both'"
        )
        with writing(replace(settings, catalogue=ours)) as connection:
            carry_over(of, connection, base, theirs, ours)
        with reading(replace(settings, catalogue=ours)) as connection:
            assert connection.execute("FROM sources.both").fetchall() == [("ours",)]
            assert connection.execute("FROM sources.a").fetchall() == [("theirs",)]
            assert not has_table(connection, "sources", "gone")
            rows = connection.execute("FROM ops.model_tables ORDER BY 1").fetchall()
            assert rows == [("both", 3, ""), ("mine", 2, "")]
        assert found.rows(f'SELECT name, said FROM "{ours}_state"."_snapshots" ORDER BY 1') == [
            ("both", "ours"),
            ("kept", "theirs"),
        ]


def test_two_plans_of_one_environment_at_once_are_not_mixed(team: Team) -> None:
    team.call("run")
    anna, omar = another(team, "anna"), another(team, "omar")
    touch(
        anna,
        "marts.kpi__nps_monthly",
        "::DECIMAL(5, 2) AS nps",
        "::DECIMAL(6, 2)::DECIMAL(5, 2) AS nps",
    )
    touch(omar, "marts.kpi__active_freelancers", *MORE)
    refusal = "environment dev was changed by somebody else meanwhile"
    with standing_before_its_publication(anna, "plan", "dev", refusal=refusal):
        omar.call("plan", "dev")
        planned = team.rows("SELECT SUM(active) FROM marts__dev.kpi__active_freelancers")
    assert team.rows("SELECT SUM(active) FROM marts__dev.kpi__active_freelancers") == planned


def test_a_reader_s_release_stays_and_what_nobody_names_goes(team: Team) -> None:
    team.call("run")
    with snapshot(team.settings()) as pinned:
        before = shown_by(pinned)
        for day in NEXT_DAYS:
            team.day(day)
            team.call("run")
        assert len(catalogues("r")) == 3  # the last two, and the reader's
        assert shown_by(pinned) == before
    team.call("run")
    kept = catalogues("r")
    assert len(kept) == 2
    with Server() as found:
        of = Catalogues(found, os.environ["DATA_PLATFORM_TEAM_NAME"])
        named = set().union(*(of.files(one) for one in kept))
    on_disk = {path.name for path in (team.data.parent / "warehouse").rglob("*.parquet")}
    assert on_disk == named


def shown_by(settings: Settings) -> list[tuple]:
    with reading(settings, locked_down=False) as connection:
        return connection.execute("FROM marts.kpi__monthly_turnover ORDER BY ALL").fetchall()


def test_who_writes_production_keeps_others_out_and_is_shown(team: Team) -> None:
    team.call("run")
    other = another(team, "other")
    gate = team.data.parent / "gate"
    boundary = Boundary("transform.model_tables", "Tables.mark_as_reflecting")
    team.day(NEXT_DAYS[0])
    started = team.start("run", boundary=boundary, gate=gate)
    started.reach(gate)
    refused = other.call("run", check=False)
    assert refused.returncode == 1
    assert "data-platform run (" in refused.stderr and "--wait SECONDS" in refused.stderr
    assert "data-platform run (" in status_of(other)["writer"]
    gate.touch()
    assert started.join() == 0
    assert status_of(other)["writer"] is None


def test_who_waits_for_a_writer_hears_an_interruption(team: Team) -> None:
    team.call("extract", "load")
    gate = team.data.parent / "gate"
    boundary = Boundary("ingest.load", "verify_file")
    writing = team.start("load", boundary=boundary, gate=gate)
    writing.reach(gate)
    waiting = another(team, "other").start("load", "--wait", "3600")
    while "waits" not in waiting.stdout + waiting.stderr and waiting.is_running:
        if "has been writing" in waiting.stdout + waiting.stderr:
            break
        time.sleep(0.1)
    waiting.send(signal.SIGINT)
    assert waiting.join() == 130  # while the other still writes
    assert writing.is_running
    gate.touch()
    assert writing.join() == 0


def test_a_run_that_publishes_in_between_tells_of_itself_once(team: Team) -> None:
    with running(team.settings(), COMPANY, "backfill") as run:
        extract(run.settings, COMPANY)
        run.wait_for_lakehouse()
        load(run.settings)
        with writing(run.settings) as connection:
            run.publish(connection)
        next_day = replace(run.settings, as_of=date.fromisoformat(NEXT_DAYS[0]))
        extract(next_day, COMPANY)
        load(next_day)
    loads = team.rows("SELECT load_number, table_name FROM ops.loads")
    assert len(loads) == len(set(loads)) and {number for number, _ in loads} == {1, 2}
    assert team.rows("SELECT outcome, release FROM ops.runs") == [("succeeded", 2)]


def test_a_service_and_a_password_file_of_libpq_s_do_as_well(
    team: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    service = team.data.parent / "services"
    named = {name: os.environ[name] for name in ("PGHOST", "PGPORT", "PGUSER", "PGPASSWORD")}
    lines = [f"{name.removeprefix('PG').lower()}={said}" for name, said in named.items()]
    service.write_text("\n".join(["[lake]", *lines, "dbname=postgres", ""]))
    for name in (*named, "PGDATABASE"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("PGSERVICEFILE", str(service))
    monkeypatch.setenv("PGSERVICE", "lake")
    team.call("run")
    assert_exports_equal_the_reference(team)


def test_the_option_names_the_gateway_whatever_the_environment_does(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    begin(platform)
    surroundings = {"DATA_PLATFORM_GATEWAY": "team"}
    monkeypatch.setattr(Platform, "environment", lambda self: surroundings)
    platform.call("transform", "export")
    assert "kpi__nps" in platform.call("lineage", "marts.kpi__nps").stdout


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("PGPASSWORD", "wr0ng", "password authentication failed"),
        ("PGPORT", "1", "Connection refused"),
        ("PGDATABASE", "nowhere", 'database "nowhere" does not exist'),
        ("DATA_PLATFORM_TEAM_NAME", "A-b", "is no name"),
        ("DATA_PLATFORM_TEAM_NAME", "lakehouse_r3", "is like a schema of another kind"),
        ("DATA_PLATFORM_TEAM_NAME", "public", "is like a schema of another kind"),
        ("DATA_PLATFORM_TEAM_DATA", "s3://bucket/x", "is to name a folder"),
    ],
)
def test_a_server_out_of_reach_is_told_in_a_line(
    team: Team, monkeypatch: pytest.MonkeyPatch, name: str, value: str, told: str
) -> None:
    monkeypatch.setenv(name, value)
    commands = (["run"],) if name.endswith("DATA") else (["run"], ["query", "SELECT 1"], ["status"])
    for words in commands:
        refused = team.call(*words, check=False)
        assert refused.returncode in (1, 2)
        assert told in refused.stderr
        assert len(refused.stderr.splitlines()) == 1
        assert PASSWORD not in refused.stderr and "wr0ng" not in refused.stderr
    assert not (team.data / "releases").exists() or not any((team.data / "sources").iterdir())


def test_a_catalogue_of_a_newer_ducklake_is_refused(team: Team) -> None:
    team.call("run")
    with Server() as found:
        (one,) = catalogues("r")
        found.execute(
            "UPDATE {of}.ducklake_metadata SET value = '9.9' WHERE key = 'version'", of=one
        )
    refused = team.call("query", "FROM marts.kpi__nps", check=False)
    assert refused.returncode == 1
    assert "9.9" in refused.stderr and len(refused.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    "sql",
    [
        "COPY (SELECT 1) TO '{folder}/x.csv'",
        "EXPORT DATABASE '{folder}/x.csv'",
        "EXPLAIN ANALYZE COPY (SELECT 1) TO '{folder}/x.csv'",
        "SELECT * FROM postgres_query('__ducklake_metadata_lakehouse', 'SELECT 1 AS a')",
        "FROM __ducklake_metadata_lakehouse.pg_catalog.pg_authid",
        "CALL ducklake_expire_snapshots('lakehouse')",
        "FROM read_csv('/etc/passwd')",
        "DELETE FROM marts.kpi__monthly_turnover",
        "ATTACH 'postgres:' AS other",
        "SET enable_external_access = true",
    ],
)
def test_a_query_can_only_read_the_lakehouse(lived_in: Team, sql: str) -> None:
    folder = lived_in.data.parent / "warehouse"
    refused = lived_in.call("query", sql.format(folder=folder), check=False)
    assert refused.returncode == 1
    assert refused.stderr.startswith("Error: the query failed: ")
    assert not (folder / "x.csv").exists()


@pytest.fixture
def lived_in(team: Team) -> Team:
    """A team with what an extract and a load leave, which take no time."""
    team.call("extract", "load")
    return team


def test_the_team_s_lakehouse_is_not_one_member_s_to_remove(lived_in: Team) -> None:
    refused = lived_in.call("clean", "--yes", check=False)
    assert refused.returncode == 1
    assert "is a team's" in refused.stderr
    assert lived_in.rows("SELECT COUNT(*) > 0 FROM sources.app__invoices") == [(True,)]


def test_drivers_that_are_missing_are_told_with_what_to_install(
    team: Team, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for missing in ("psycopg2", "duckdb_extension_ducklake"):
        code = (
            f"import sys; sys.modules[{missing!r}] = None\n"
            "from importlib import util\n"
            "find = util.find_spec\n"
            f"util.find_spec = lambda name, *a: None if name == {missing!r} else find(name, *a)\n"
            "from data_platform.cli.program import main; main()"
        )
        words = ["--gateway", "team", "-p", str(PROJECT), "-d", str(tmp_path / "data"), "run"]
        done = subprocess.run(
            [sys.executable, "-c", code, *words], capture_output=True, text=True, cwd=PROJECT
        )
        assert done.returncode == 1, done.stdout + done.stderr
        assert "just setup-team" in done.stderr
        assert len(done.stderr.splitlines()) == 1
    shutil.rmtree(tmp_path / "data", ignore_errors=True)


def test_a_check_reads_all_and_finds_what_is_damaged(lived_in: Team) -> None:
    found = lived_in.call("check")
    assert ", 0 faults" in found.stdout
    file = max(
        (lived_in.data.parent / "warehouse/sources").rglob("*.parquet"),
        key=lambda path: path.stat().st_size,
    )
    whole = file.read_bytes()
    for damaged, told in (
        (whole[: len(whole) // 2], "its catalogue says"),
        (b"x" * len(whole), "is no Parquet file any longer"),
        (None, "is missing"),
    ):
        file.unlink()
        if damaged is not None:
            file.write_bytes(damaged)
        refused = lived_in.call("check", check=False)
        assert refused.returncode == 1
        assert told in refused.stderr and "cannot be read" in refused.stderr
    file.write_bytes(whole)
    with Server() as found_, reading(lived_in.settings(), locked_down=False):
        (one,) = catalogues("r")
        found_.execute("UPDATE {of}.ducklake_data_file SET record_count = record_count + 1", of=one)
    assert "rows, its catalogue says" in lived_in.call("check", check=False).stderr


def test_a_lakehouse_moves_to_the_team_and_back(team: Team, tmp_path: Path) -> None:
    alone = Team(team.data)  # on the default's gateway, who knows of the server
    begin(alone)
    refused = team.call("run", check=False)
    assert "is of gateway duckdb" in refused.stderr
    before = shown(alone)
    alone.call("plan", "dev")
    told = alone.call("move", "--to", "team").stdout
    assert "compared row for row" in told
    assert differing(shown(team), before) == []
    assert set(status_of(team)["environments"]) == {"dev"}

    team.day(NEXT_DAYS[0])
    team.call("run")
    assert_exports_equal_the_reference(team)
    after = shown(team)
    team.call("move", "--to", "duckdb")
    assert differing(shown(alone), after) == []
    alone.call("run", options=options_of(NEXT_DAYS[1]))
    assert_exports_equal_the_reference(alone)
    commands = [run["command"] for run in status_of(alone)["runs"]]
    assert commands == ["run", "move --to duckdb", "run", "move --to team", "plan dev", "run"]

    # One that knows more is not overwritten.
    team.data = tmp_path / "other"
    refused = team.call("move", "--to", "duckdb", check=False)
    assert refused.returncode == 0, "a folder without a lakehouse has nothing to lose"
    refused = alone.call("move", "--to", "team", check=False)
    assert refused.returncode == 0, "the team's knows less"
    alone.data = tmp_path / "other"
    refused = alone.call("move", "--to", "team", check=False)
    assert refused.returncode == 1 and "it would be lost" in refused.stderr


def differing(
    one: dict[str, tuple[object, Counter]], other: dict[str, tuple[object, Counter]]
) -> list[str]:
    return sorted(name for name in one.keys() | other.keys() if one.get(name) != other.get(name))


def test_a_folder_is_one_lakehouse_s_whose_files_nobody_else_removes(
    lived_in: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    warehouse = lived_in.data.parent / "warehouse"
    files = sorted(warehouse.rglob("*.parquet"))
    other = Team(lived_in.data.parent / "other", options=lived_in.options, gateway="team")
    with monkeypatch.context() as patched:
        patched.setenv("DATA_PLATFORM_TEAM_NAME", f"o{uuid4().hex[:20]}")
        refused = other.call("extract", "load", check=False)
        assert refused.returncode == 1
        assert "holds the Parquet files of another lakehouse" in refused.stderr
        patched.setenv("DATA_PLATFORM_TEAM_DATA", str(PROJECT / "models"))
        assert "but holds others" in other.call("extract", "load", check=False).stderr
    assert sorted(warehouse.rglob("*.parquet")) == files
    lived_in.day(NEXT_DAYS[0])
    lived_in.call("extract", "load")
    assert ", 0 faults" in lived_in.call("check").stdout
    warehouse.rename(warehouse.with_name("elsewhere"))
    told = lived_in.call("query", "SELECT 1", check=False).stderr
    assert "which is not there; is it mounted?" in told


def test_a_member_s_folder_may_have_an_apostrophe(team: Team, tmp_path: Path) -> None:
    folder = tmp_path / 'Zoé\'s "team"'
    folder.mkdir()
    member = Team(folder / "data", options=team.options, gateway="team")
    member.call("run", "--no-report")
    member.call("plan", "dev")
    assert "promoters" in member.call("query", "FROM marts.kpi__nps").stdout


def test_a_team_s_data_folder_is_not_the_default_s(lived_in: Team) -> None:
    alone = Platform(lived_in.data)
    refused = alone.call("extract", "load", check=False)
    assert refused.returncode == 1 and "is of gateway team" in refused.stderr
    lived_in.call("extract", "load")


def test_a_promotion_renews_the_exports_of_whoever_makes_it(team: Team) -> None:
    team.call("run")
    other = another(team, "other")
    other.call("run")
    team.day(NEXT_DAYS[0])
    team.call("run")
    touch(other, "marts.kpi__active_freelancers", *MORE)
    other.call("plan", "dev")
    other.call("promote", "dev")
    for path in (team.data / "exports").iterdir():
        assert (other.data / "exports" / path.name).read_bytes() == path.read_bytes(), path.name


@pytest.mark.parametrize(
    ("old", "new", "lost"),
    [
        # That one, and two that read it.
        (
            "people.is_in_crm::BOOLEAN AS is_in_crm",
            "COALESCE(LN(-1) > 0, people.is_in_crm)::BOOLEAN AS is_in_crm",
            3,
        ),
        # The two that read it.
        ("  audits (", "  audits (\n    forall(criteria := (LN(-LENGTH(email)) > 0)),", 2),
    ],
    ids=["model", "audit"],
)
def test_a_model_or_an_audit_that_fails_undoes_no_other(
    lived_in: Team, old: str, new: str, lost: int
) -> None:
    member = another(lived_in, "nina")
    path = member.project / "models/marts/sales__crm_matches.sql"
    text = path.read_text(encoding="utf-8")
    assert text.count(old) == 1
    path.write_text(text.replace(old, new), encoding="utf-8")
    failed = member.call("transform", "--deploy", check=False)
    assert failed.returncode == 1
    assert "marts.sales__crm_matches" in failed.stderr
    assert failed.stderr.count("models/") == 1  # none of what reads what was undone
    known = "SELECT COUNT(*) FROM duckdb_{}s() WHERE schema_name LIKE 'sqlmesh\\_\\_%' ESCAPE '\\'"
    count = f"SELECT ({known.format('table')}) + ({known.format('view')}) AS n"
    told = member.call("query", "--failed", "--format", "csv", count)
    models = len([*(member.project / "models").rglob("*.sql")])
    assert told.stdout.split() == ["n", str(models - lost)]
