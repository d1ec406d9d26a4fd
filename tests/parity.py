"""Whether two platforms show the same, whatever computes it: every table, its types and rows."""

import json
import subprocess
import sys
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

from comparison import assert_exports_equal_the_reference
from conftest import PROJECT, Platform, begin, options_of
from data_platform.lakehouse.connection import reading
from editing import double_the_turnover, total

NEXT_DAY = "2024-03-01"
Shown = dict[str, tuple[list[tuple[str, str]], Counter]]


def shown(platform: Platform) -> Shown:
    """Every table and view of the sources and models: its columns with their types, its rows."""
    found: Shown = {}
    with reading(platform.settings(), locked_down=False) as connection:
        names = connection.execute(
            "SELECT table_schema || '.' || table_name FROM information_schema.tables "
            "WHERE table_schema IN "
            "('sources', 'staging', 'intermediate', 'marts', 'exports', 'report') ORDER BY 1"
        ).fetchall()
        for (name,) in names:
            types = connection.execute(f"DESCRIBE {name}").fetchall()
            columns = "* EXCLUDE (loaded_at)" if name == "sources.platform__extracts" else "*"
            rows = connection.execute(f"SELECT {columns} FROM {name}").fetchall()
            found[name] = [of[:2] for of in types], Counter(map(str, rows))
    return found


def assert_parity(ours: Platform, theirs: Platform) -> None:
    """Every table is the same, and every export, byte for byte."""
    one, other = shown(ours), shown(theirs)
    assert one.keys() == other.keys()
    for name, (types, rows) in one.items():
        assert types == other[name][0], name
        found = [*(rows - other[name][1])][:3], [*(other[name][1] - rows)][:3]
        assert found == ([], []), name
    for path in sorted((theirs.data / "exports").iterdir()):
        assert (ours.data / "exports" / path.name).read_bytes() == path.read_bytes(), path.name


def assert_follows_duckdb(ours: Platform, alone: Platform) -> None:
    """Both show the same on a first day, a second, after a promotion and a rollback.

    Args:
        ours: empty yet, on another gateway; of the same project.
        alone: empty yet, on the default's.
    """
    begin(alone)
    ours.call("run")
    assert_parity(ours, alone)
    assert_exports_equal_the_reference(ours)

    ours.options = alone.options = options_of(NEXT_DAY)
    done = ours.call("run").stdout
    assert "restated" in done
    alone.call("run")
    assert_parity(ours, alone)

    # A change of the models, compared, promoted and rolled back, on both.
    before = total(ours, "marts")
    double_the_turnover(ours)
    compared = []
    for platform in (alone, ours):
        planned = platform.call("plan", "dev", "--format", "json").stdout
        differing = platform.call("diff", "dev", "--format", "json").stdout
        compared.append({"plan": json.loads(planned), **json.loads(differing)})
    for name, of in compared[0].items():
        assert compared[1][name] == of, name
    assert (total(ours, "marts"), total(ours, "marts__dev")) == (before, 2 * before)  # type: ignore
    for platform in (alone, ours):
        platform.call("promote", "dev")
    assert total(ours, "marts") == 2 * before  # type: ignore
    assert_parity(ours, alone)
    for platform in (alone, ours):
        platform.call("rollback")
    assert total(ours, "marts") == before
    assert_parity(ours, alone)


_UNIT_TESTS = """
import sys
from datetime import date
from decimal import Decimal
from pathlib import Path

from sqlmesh.core.test.definition import ModelTest

from data_platform.project.context import open_project
from data_platform.settings import Settings

# SQLMesh's tests write SQL past the adapter, and compare with what DuckDB's data frames hold.
execute = ModelTest._execute
ModelTest._generate_sql = lambda self, query: self.engine_adapter._to_sql(query)
ModelTest._execute = lambda self, query: execute(self, query).map(
    lambda value: float(value) if isinstance(value, Decimal) else value
)
name, project, data = sys.argv[1:]
settings = Settings(date(2024, 2, 29), Path(project), Path(data), name)
settings.lakehouse.parent.mkdir(parents=True)
with open_project(settings) as opened:
    gateway = opened.context.config.gateways[name]
    gateway.test_connection = gateway.connection
    result = opened.context.test()
print(result.testsRun)
for test, said in [*result.failures, *result.errors]:
    print(test, said)
"""


def assert_unit_tests_hold(gateway: str, folder: Path, environment: Mapping[str, str]) -> None:
    """Each unit test of the models passes on the engine of a gateway."""
    done = subprocess.run(
        [sys.executable, "-c", _UNIT_TESTS, gateway, str(PROJECT), str(folder / "data")],
        capture_output=True,
        text=True,
        env=dict(environment),
    )
    written = sum(
        line.startswith("test_")
        for path in (PROJECT / "tests").rglob("test_*.yaml")
        for line in path.read_text().splitlines()
    )
    assert done.stdout.split() == [str(written)], done.stdout[-5000:] + done.stderr[-2000:]
