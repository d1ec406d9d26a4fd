"""Extracts that were kept take an application back in time, alone or day by day."""

import shutil
from datetime import timedelta
from pathlib import Path
from stat import S_IMODE

import polars as pl
import pytest

from conftest import AS_OF, Platform, options_of
from data_platform.ingest.manifest import read_manifest
from editing import invoiced, total

DAYS = [AS_OF + timedelta(days=number) for number in range(3)]


@pytest.fixture
def archive(analyst: Platform, simulated: dict[str, pl.DataFrame]) -> Path:
    """The extracts of three days of a real CRM, kept by somebody; it shows only the last by now."""
    (analyst.project / "sources.yaml").write_text(
        "crm:\n  kind: files\n  folder: drop\napp:\n  kind: simulated\n"
        "billing:\n  kind: simulated\n"
    )
    drop = analyst.project / "drop"
    drop.mkdir()
    kept = analyst.project / "kept"
    rows = simulated["crm.customers"]
    for number, day in enumerate(DAYS):
        score = pl.lit(number, dtype=pl.Int32)
        rows.with_columns(satisfaction_score=score).write_csv(drop / "customers_1.csv")
        analyst.call("extract", options=options_of(day))
        shutil.copytree((analyst.data / "sources").resolve(), kept / str(day))
    return kept


def scores(platform: Platform) -> set[int]:
    return {
        row[0] for row in platform.rows("SELECT satisfaction_score FROM sources.crm__customers")
    }


def test_kept_extracts_are_loaded_again_and_checked(analyst: Platform, archive: Path) -> None:
    analyst.call("load", options=[])
    assert scores(analyst) == {2}
    modes = {}
    for number, one in enumerate(sorted((archive / str(DAYS[0])).rglob("*.parquet"))):
        modes[one] = (0o444, 0o644, 0o600)[number % 3]
        one.chmod(modes[one])
    done = analyst.call("extract", options=options_of(DAYS[0]), check=False)
    assert "source crm is a real application" in done.stderr
    done = analyst.call("load", "--extracts", str(archive / str(DAYS[0])), options=[])
    assert scores(analyst) == {0} and str(DAYS[0]) in done.stdout
    in_force = read_manifest(analyst.data / "sources")
    assert in_force == read_manifest(archive / str(DAYS[0]))
    # What somebody has decided about the files that they keep stays; the platform's are private.
    assert {one: S_IMODE(one.stat().st_mode) for one in modes} == modes
    taken = [*(analyst.data / "sources").resolve().rglob("*.parquet")]
    assert len(taken) == len(modes) and {S_IMODE(one.stat().st_mode) for one in taken} == {0o600}
    # One that somebody has touched is refused, and one that is no folder of extracts.
    other = archive / str(DAYS[1])
    file = next((other / "crm").rglob("*.parquet"))
    file.chmod(0o600)
    file.write_bytes(file.read_bytes()[:-9])
    done = analyst.call("load", "--extracts", str(other), options=[], check=False)
    assert done.returncode == 1 and "was changed or cut short" in done.stderr
    done = analyst.call("load", "--extracts", str(archive), options=[], check=False)
    assert done.returncode == 1 and "keeps no extracts: there is no manifest.json" in done.stderr
    file.unlink()
    done = analyst.call("load", "--extracts", str(other), options=[], check=False)
    assert done.returncode == 1 and "is missing, which its manifest lists" in done.stderr
    assert scores(analyst) == {0}
    assert read_manifest(analyst.data / "sources") == in_force


@pytest.mark.slow(reason="three days with SQLMesh; one day of extracts is loaded each time")
def test_days_are_replayed_over_what_was_kept_of_each(analyst: Platform, archive: Path) -> None:
    words = ["backfill", "--from", str(DAYS[0]), "--to", str(DAYS[2])]
    scale = ["--scale", "0.2"]
    done = analyst.call(*words, options=scale, check=False)
    assert done.returncode == 2 and "source crm is a real application" in done.stderr
    analyst.call(*words, "--extracts", str(archive), options=scale)
    assert analyst.rows(
        "SELECT DISTINCT satisfaction_score, seen_as_of FROM sources.crm__customers_log ORDER BY 1"
    ) == [(number, day) for number, day in enumerate(DAYS)]
    assert total(analyst, "marts") == invoiced(analyst)
    done = analyst.call(*words, "--extracts", str(archive), options=scale)
    assert "3 were there already" in done.stdout
    (archive / str(DAYS[1])).rename(analyst.project / "elsewhere")
    done = analyst.call(*words, "--extracts", str(archive), options=scale, check=False)
    assert done.returncode == 1 and f"keeps extracts as of {DAYS[1]}; there are" in done.stderr
