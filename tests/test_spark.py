"""The same project on Spark, in local mode: every table as on DuckDB."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import duckdb
import pytest
from sqlglot import parse_one

from conftest import PROJECT, Platform, begin
from data_platform.project.spark_sql import in_spark
from parity import assert_follows_duckdb, assert_parity, assert_unit_tests_hold

needs_spark = pytest.mark.skipif(
    (find_spec("pyspark") is None or shutil.which("java") is None) and "CI" not in os.environ,
    reason="no pyspark or no Java: just setup-spark",
)


@dataclass
class OnSpark(Platform):
    gateway: str = "spark"
    patience: float = 900.0  # a minute and a half on two idle cores
    master: str = "local[2]"

    def environment(self) -> dict[str, str]:
        return {"DATA_PLATFORM_SPARK_MASTER": self.master}


@needs_spark
@pytest.mark.slow(reason="runs on Spark, a minute each")
def test_spark_shows_what_duckdb_shows_row_for_row(tmp_path: Path) -> None:
    alone = Platform(tmp_path / "alone" / "data", tmp_path / "project")
    alone.copy_project()
    spark = OnSpark(tmp_path / "spark" / "data", alone.project)
    for platform in (alone, spark):
        platform.data.parent.mkdir()
    assert_follows_duckdb(spark, alone)


@contextmanager
def cluster(folder: Path) -> Iterator[str]:
    """A master and two workers, as the recipe starts and stops them; the master's address."""
    with closing(socket.socket()) as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = {**os.environ, "SPARK_CLUSTER_DIR": str(folder), "SPARK_MASTER_PORT": str(port)}

    def recipe(action: str) -> None:
        command = [str(Path(sys.executable).with_name("just")), "spark-cluster", action]
        silent = subprocess.DEVNULL
        subprocess.run(command, cwd=PROJECT, env=environment, check=True, stdout=silent)

    try:
        recipe("start")
        yield f"spark://127.0.0.1:{port}"
    finally:
        recipe("stop")
        assert not folder.exists()


def tasks(worker: Path) -> tuple[int, int]:
    """How many tasks a worker has begun, and how many it has finished."""
    said = "".join(log.read_text() for log in worker.glob("app-*/*/stderr"))
    return said.count("Running task "), said.count("Finished task ")


def signal_all(worker: int, number: signal.Signals) -> None:
    """Signal a worker and what it has started."""
    found = subprocess.run(["pgrep", "-P", str(worker)], capture_output=True, text=True)
    for process in (worker, *map(int, found.stdout.split())):
        os.kill(process, number)


@needs_spark
@pytest.mark.slow(reason="a run on a Spark cluster, minutes")
def test_a_run_survives_a_worker_that_is_killed_in_the_middle_of_a_stage(tmp_path: Path) -> None:
    spark = OnSpark(tmp_path / "spark" / "data")
    spark.data.parent.mkdir()
    folder = tmp_path / "cluster"
    with cluster(folder) as spark.master:
        (of_second,) = folder.glob("*Worker-2.pid")
        started = spark.start("run")
        worker = int(of_second.read_text())
        while True:
            assert started.is_running, started.stderr
            time.sleep(0.05)
            begun, finished = tasks(folder / "work-2")
            if finished > 100 and begun > finished:
                signal_all(worker, signal.SIGSTOP)
                begun, finished = tasks(folder / "work-2")
                if begun > finished:  # it has a task in its hands
                    break
                signal_all(worker, signal.SIGCONT)
        signal_all(worker, signal.SIGKILL)  # as a machine that loses its power
        assert started.join(spark.patience) == 0, started.stderr
        assert tasks(folder / "work-1")[1] > 100
    alone = Platform(tmp_path / "alone" / "data")
    alone.data.parent.mkdir()
    begin(alone)
    assert_parity(spark, alone)


@needs_spark
@pytest.mark.slow(reason="Spark's own session")
def test_what_is_put_in_spark_s_words_means_the_same_there() -> None:
    query = (
        "SELECT LISTAGG(b, '-' ORDER BY a) AS joined, MAX(NFC_NORMALIZE(c)) AS composed, "
        "MAX(MD5(b)::UUID)::TEXT AS key, STRING_AGG(b, '-' ORDER BY a DESC) AS backwards, "
        "STRING_AGG(b ORDER BY a) AS by_default, STRING_AGG(NULLIF(a, a)::TEXT, '-' ORDER BY a) "
        "AS nothing, MAX(DATE_DIFF('month', '2024-01-31'::DATE, '2024-02-01'::DATE)) AS months "
        ", STRING_AGG(YEAR(d)::TEXT, '-' ORDER BY a) AS years "
        "FROM (VALUES (2, 'x', 'ee\u0301E\u0302\u0301', NULL::DATE), (10, 'y', '', '2024-01-31'), "
        "(1, 'z', '', '2023-12-31')) AS t(a, b, c, d)"
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
@pytest.mark.slow(reason="each unit test of the models, on Spark")
def test_the_models_unit_tests_hold_on_spark(tmp_path: Path) -> None:
    here = {**os.environ, "DATA_PLATFORM_SPARK_MASTER": "local[2]"}
    assert_unit_tests_hold("spark", tmp_path, here)


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
