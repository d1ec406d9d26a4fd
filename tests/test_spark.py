"""The same project on Spark, in local mode: every table as on DuckDB."""

import os
import shutil
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import duckdb
import pytest
from sqlglot import parse_one

from comparison import assert_exports_equal_the_reference
from conftest import PROJECT, Platform, begin, options_of
from data_platform.project.spark_sql import in_spark

NEXT_DAY = "2024-03-01"
needs_spark = pytest.mark.skipif(
    find_spec("pyspark") is None or shutil.which("java") is None,
    reason="no pyspark or no Java: just setup-spark",
)


@dataclass
class OnSpark(Platform):
    gateway: str = "spark"
    patience: float = 900.0  # a minute and a half on two idle cores

    def environment(self) -> dict[str, str]:
        return {"DATA_PLATFORM_SPARK_MASTER": "local[2]"}


def shown(platform: Platform) -> dict[str, tuple[list[tuple[str, str]], Counter]]:
    """Every table of the sources and models: columns and types, and its rows."""
    found = {}
    with duckdb.connect(str(platform.settings().lakehouse), read_only=True) as connection:
        names = connection.execute(
            "SELECT table_schema || '.' || table_name FROM information_schema.tables "
            "WHERE table_schema IN "
            "('sources', 'staging', 'intermediate', 'marts', 'exports', 'report') ORDER BY 1"
        ).fetchall()
        for (name,) in names:
            described = connection.execute(f"DESCRIBE {name}").fetchall()
            types = [(of[0], of[1]) for of in described]
            columns = "* EXCLUDE (loaded_at)" if name == "sources.platform__extracts" else "*"
            rows = connection.execute(f"SELECT {columns} FROM {name}").fetchall()
            found[name] = types, Counter(tuple(map(str, row)) for row in rows)
    return found


def assert_parity(ours: Platform, theirs: Platform) -> None:
    one, other = shown(ours), shown(theirs)
    assert one.keys() == other.keys()
    for name, (types, rows) in one.items():
        assert types == other[name][0], name
        found = [*(rows - other[name][1])][:3], [*(other[name][1] - rows)][:3]
        assert found == ([], []), name
    for path in sorted((theirs.data / "exports").iterdir()):
        assert (ours.data / "exports" / path.name).read_bytes() == path.read_bytes(), path.name


@needs_spark
@pytest.mark.slow(reason="two runs on Spark, minutes each")
def test_spark_shows_what_duckdb_shows_row_for_row(tmp_path: Path) -> None:
    alone = Platform(tmp_path / "alone" / "data")
    alone.data.parent.mkdir()
    begin(alone)
    spark = OnSpark(tmp_path / "spark" / "data")
    spark.data.parent.mkdir()
    spark.call("run")
    assert_parity(spark, alone)
    assert_exports_equal_the_reference(spark)

    spark.options = options_of(NEXT_DAY)
    done = spark.call("run").stdout
    assert "restated" in done
    alone.call("run", options=options_of(NEXT_DAY))
    assert_parity(spark, alone)


@needs_spark
@pytest.mark.slow(reason="Spark's own session")
def test_what_is_put_in_spark_s_words_means_the_same_there() -> None:
    query = (
        "SELECT LISTAGG(b, '-' ORDER BY a) AS joined, MAX(NFC_NORMALIZE(c)) AS composed "
        "FROM (VALUES (2, 'x', 'ee\u0301E\u0302\u0301'), (10, 'y', ''), (1, 'z', '')) AS t(a, b, c)"
    )
    expected = duckdb.sql(query).fetchone()
    said = in_spark(parse_one(query, dialect="duckdb")).sql("spark")
    code = (
        "import sys\nfrom pyspark.sql import SparkSession\n"
        "spark = SparkSession.builder.master('local[1]').config('spark.ui.enabled', False)"
        ".getOrCreate()\nrow = spark.sql(sys.argv[1]).collect()[0]\nprint([*row])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, said], capture_output=True, text=True, check=True
    )
    assert expected is not None
    assert done.stdout.strip() == str([*expected])


@needs_spark
@pytest.mark.slow(reason="Spark's own session")
def test_spark_restates_months_and_empties_a_table(tmp_path: Path) -> None:
    code = """
from sqlglot import exp
from data_platform.project.canary import refuse_untrue
from data_platform.project.spark import SparkConnection
config = {"spark.master": "local[1]", "spark.ui.enabled": False}
adapter = SparkConnection(config=config).create_engine_adapter()
refuse_untrue(adapter, "spark")
adapter.create_schema("some")
adapter.ctas("some.table", exp.select("1 AS number"))
adapter.delete_from("some.table", exp.true())
print(adapter.fetchall("SELECT * FROM some.table"))
try:
    adapter.delete_from("some.table", "number = 1")
except NotImplementedError as error:
    print(error)
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path, check=False
    )
    assert done.stdout.splitlines() == ["[]", "delete from some.table where number = 1"], (
        done.stderr
    )


def test_without_spark_or_java_a_run_says_what_to_install(tmp_path: Path) -> None:
    for hidden, told in (("pyspark", "just setup-spark"), ("java", "openjdk-17-jre-headless")):
        code = (
            "from importlib import util\nimport shutil\n"
            "find, which = util.find_spec, shutil.which\n"
            f"util.find_spec = lambda n, *a: (None if {hidden!r} == 'pyspark' else 1) "
            "if n == 'pyspark' else find(n, *a)\n"
            f"shutil.which = lambda n, *a, **o: None if n == 'java' else which(n, *a, **o)\n"
            "from data_platform.cli.program import main; main()"
        )
        words = ["--gateway", "spark", "-p", str(PROJECT), "-d", str(tmp_path / "data"), "run"]
        environment = {n: v for n, v in os.environ.items() if n != "JAVA_HOME"}
        done = subprocess.run(
            [sys.executable, "-c", code, *words],
            capture_output=True,
            text=True,
            cwd=PROJECT,
            env=environment,
        )
        assert done.returncode == 1
        assert told in done.stderr and len(done.stderr.splitlines()) == 1
        assert not (tmp_path / "data" / "releases" / "1").exists()
