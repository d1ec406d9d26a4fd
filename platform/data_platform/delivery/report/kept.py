"""What the report before has fetched, as far as production still shows it: a promotion's report
need not ask fifteen million rows again for charts whose models have not changed.
"""

import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Any

from data_platform.delivery.report.charts import Chart, Shown
from data_platform.delivery.report.scripts import assigned_value

SIZES = "data/sizes.js"


@dataclass(frozen=True)
class Unchanged:
    """Models that show what they showed at production's change number `since`, and later."""

    models: Collection[str] = ()
    since: int = 0


@dataclass(frozen=True)
class Kept:
    """What need not be fetched: charts by name, and the sizes of models."""

    charts: Mapping[str, Shown] = field(default_factory=dict)
    sizes: Mapping[str, Any] = field(default_factory=dict)


def data_file(chart: str) -> str:
    """The script of a chart's rows, in the folder of the report."""
    return f"data/{chart}.js"


def fetched(
    texts: Mapping[str, str],
    change: int,
    charts: Sequence[Chart],
    shown: Mapping[str, Shown | None],
) -> dict[str, Any]:
    """What the next report has to know of what this one has fetched.

    Args:
        texts: of its files.
        change: production's change number.
    """
    specifications = {chart.name: _specification(chart) for chart in charts}
    return {
        "change": change,
        "programs": _programs(),
        "sizes": _digest(texts[SIZES]),
        "charts": {
            name: [specifications[name], one.total, _digest(texts[data_file(name)])]
            for name, one in shown.items()
            if one is not None
        },
    }


def kept_of(
    folder: Path, earlier: Mapping[str, Any], charts: Sequence[Chart], unchanged: Unchanged
) -> Kept:
    """What of the report before still holds: of unchanged models, by files that nobody touched.

    Args:
        earlier: what that report said of what it had fetched; empty where there was none.
    """
    if not unchanged.models or not earlier or earlier["programs"] != _programs():
        return Kept()
    if earlier["change"] < unchanged.since:
        return Kept()
    found = {}
    for chart in charts:
        specification, total, digest = earlier["charts"].get(chart.name, ("", 0, ""))
        text = _text(folder / data_file(chart.name))
        is_same = specification == _specification(chart) and digest == _digest(text)
        if is_same and chart.model in unchanged.models:
            found[chart.name] = Shown(chart, assigned_value(text, "data", chart.name), total)
    text = _text(folder / SIZES)
    sizes = assigned_value(text, "sizes") if earlier["sizes"] == _digest(text) else {}
    return Kept(found, {name: of for name, of in sizes.items() if name in unchanged.models})


def _specification(chart: Chart) -> str:
    return hashlib.sha256(repr(chart).encode()).hexdigest()


def _text(file: Path) -> str:
    return file.read_text(encoding="utf-8") if file.is_file() else ""


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _programs() -> str:
    """A digest of the programs that fetch."""
    digest = hashlib.sha256()
    for name in ("catalogue.py", "charts.py", "kept.py", "scripts.py"):
        digest.update(files(__package__).joinpath(name).read_bytes())
    return digest.hexdigest()
