"""A company drawn in shards is, file for file, the company drawn at once."""

import json
import shutil
from pathlib import Path

import pytest

from conftest import Platform


def files_of(folder: Path) -> dict[str, bytes]:
    found = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in found}


def draw(platform: Platform, folder: Path, *shards: str, check: bool = True) -> list[str]:
    said = []
    for shard in shards:
        done = platform.call("extract", "--shard", shard, "--to", str(folder), check=check)
        said.append(done.stdout + done.stderr)
    return said


@pytest.mark.parametrize(
    "of",
    [
        1,
        3,
        pytest.param(
            200, marks=pytest.mark.slow(reason="more shards than rows; three are merged each time")
        ),
    ],
)
def test_shards_in_any_order_make_the_files_of_one_extract(
    platform: Platform, tmp_path: Path, of: int
) -> None:
    folder = tmp_path / "all"
    # So many that some have nothing to draw are too many to draw one by one here.
    shards = [f"{number}/{of}" for number in range(of, 0, -1)]
    if of == 200:
        from data_platform.ingest.shards import Shard, extract_shard, merge_shards
        from data_platform.simulation import Simulation

        settings = platform.settings()
        for number in range(1, of + 1):
            extract_shard(settings, Simulation(42, 0.2), Shard(number, of), folder)
        merge_shards(folder)
    else:
        draw(platform, folder, *shards)
        assert (
            "to load them: data-platform load --extracts"
            in platform.call("merge-shards", str(folder), options=[]).stdout
        )
    platform.call("extract")
    assert files_of(folder) == files_of((platform.data / "sources").resolve())
    assert not list(folder.glob("shard-*"))


def test_merged_shards_are_loaded_like_any_extract(platform: Platform, tmp_path: Path) -> None:
    draw(platform, tmp_path / "all", "1/2", "2/2")
    platform.call("merge-shards", str(tmp_path / "all"), options=[])
    platform.call("load", "--extracts", str(tmp_path / "all"))
    manifest = json.loads((tmp_path / "all/manifest.json").read_text())
    rows = sum(file["rows"] for file in manifest["tables"]["app.invoices"])
    assert platform.rows("SELECT COUNT(*) FROM sources.app__invoices") == [(rows,)]


def test_what_is_no_whole_extract_is_refused_and_nothing_is_merged(
    platform: Platform, tmp_path: Path
) -> None:
    folder = tmp_path / "all"
    folder.mkdir()

    def refused(said: str) -> None:
        done = platform.call("merge-shards", str(folder), options=[], check=False)
        assert done.returncode == 1 and said in done.stderr and done.stderr.count("\n") == 1
        assert not (folder / "manifest.json").exists()

    refused("has no shards; expected folders like shard-1-of-4")
    draw(platform, folder, "1/3", "3/3")
    refused("lacks shard 2 of 3; draw it first")
    platform.call("extract", "--shard", "2/3", "--to", str(folder), "--pristine")
    refused("shard-2-of-3 is of another extract than shard-1-of-3")
    draw(platform, folder, "2/3")
    (lost,) = list((folder / "app/users").iterdir())
    lost.rename(tmp_path / "lost")
    refused("is missing, which a shard lists")
    shutil.move(tmp_path / "lost", lost)
    (folder / "shard-2-of-3/truth.json").unlink()
    refused("lacks shard 2 of 3; draw it first")
    draw(platform, folder, "1/2")
    refused("has shards of different numbers")


def test_shards_stay_out_of_the_data_folder(begun: Platform) -> None:
    for words in (["extract", "--shard", "1/1", "--to"], ["merge-shards"]):
        done = begun.call(*words, str(begun.data / "sources"), check=False)
        assert done.returncode == 2 and "lies in the data folder" in done.stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--shard", "1/2"], "--shard and --to go together"),
        (["--to", "there"], "--shard and --to go together"),
        (["--shard", "3/2", "--to", "there"], "3/2 is no shard, expected 1/N to N/N"),
        (["--shard", "0/2", "--to", "there"], "0/2 is no shard"),
        (["--shard", "half", "--to", "there"], "'half' is no shard, expected one like 2/4"),
        (["--shard", "1/2", "--to", "there", "-s", "crm"], "--source does not go with --shard"),
        (["--shard", "1/2", "--to", "there", "--inject", "unknown-entity"], "--inject does not go"),
    ],
)
def test_a_shard_that_is_none_is_a_slip(platform: Platform, words: list[str], said: str) -> None:
    done = platform.call("extract", *words, check=False)
    assert done.returncode == 2 and said in done.stderr
    assert not Path("there").exists()
