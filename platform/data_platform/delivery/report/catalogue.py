"""The catalogue: what the page of each model, source, export and chart shows."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any
from urllib.parse import quote

import duckdb
import yaml

from data_platform.delivery.report.charts import Shown
from data_platform.delivery.report.graph import drawn
from data_platform.delivery.report.pages import Cell, Published
from data_platform.names import SHOWN_TO_READERS, Layer
from data_platform.project.lineage.graph import Lineage, model_of
from data_platform.sql import has_table, quoted

_SAMPLE = 5


def in_graph(name: str, up: str = "../") -> Cell:
    """A link to a model or column in the graph."""
    return {"url": f"{up}lineage.html#at={quote(name, safe='')}", "text": name}


def unit_tests(project_dir: Path) -> dict[str, list[str]]:
    """What the unit tests of each model say, by their names."""
    found: dict[str, list[str]] = {}
    for path in sorted((project_dir / "tests").glob("*/*.yaml")):
        loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
        try:
            stated = yaml.load(path.read_bytes(), Loader=loader)
        except yaml.YAMLError:  # the next plan says so; it tells nothing here
            continue
        for name, test in (stated if isinstance(stated, dict) else {}).items():
            if not isinstance(test, dict) or "model" not in test:
                continue
            said = str(name).removeprefix("test_").replace("_", " ")
            found.setdefault(test["model"], []).append(said)
    return found


def sizes(
    connection: duckdb.DuckDBPyConnection,
    lineage: Lineage,
    charts: Iterable[Shown | None],
    kept: Mapping[str, Any] = MappingProxyType({}),
) -> dict[str, Any]:
    """How many rows each model has, and a few of them, without what is personal.

    Args:
        charts: what was fetched already, and need not be again.
        kept: what this said of some models that show the same rows now.
    """
    fetched = {shown.chart.model: shown for shown in charts if shown is not None}
    found: dict[str, Any] = {}
    for name, model in lineage.models.items():
        schema, _, table = name.partition(".")
        columns = [column for column in model.types if column not in lineage.personal(name)]
        if shown := fetched.get(name):
            columns = [one.name for one in shown.chart.columns if one.name in columns]
            found[name] = {
                "rows": str(shown.total),
                "columns": columns,
                "sample": [[row[column] for column in columns] for row in shown.rows[:_SAMPLE]],
            }
            continue
        # A view on the way holds no rows of its own, and counting them computes all of it.
        counts = model.kind != "view" or model.layer in (Layer.MARTS, *SHOWN_TO_READERS)
        of = kept.get(name)
        if of and of["columns"] == columns and (of["rows"] is not None) == counts:
            found[name] = of
            continue
        if not has_table(connection, schema, table):
            continue
        source = f"{quoted(schema)}.{quoted(table)}"
        row = connection.execute(f"SELECT COUNT(*) FROM {source}").fetchone() if counts else None
        chosen = ", ".join(f"CAST({quoted(column)} AS VARCHAR)" for column in columns)
        sample = f"SELECT {chosen} FROM {source} LIMIT {_SAMPLE}"
        found[name] = {
            "rows": str(row[0]) if row else None,
            "columns": columns,
            "sample": connection.execute(sample).fetchall() if columns else [],
        }
    return found


def model(
    name: str,
    published: Published,
    urls: Mapping[str, str],
    personal: frozenset[str],
    tests: Sequence[str],
    claims: Mapping[str, str],
    t: Mapping[str, str],
) -> dict[str, Any]:
    """A model's page.

    Args:
        tests: what its unit tests say.
        claims: what audits claim, by their names.
        personal: columns to leave out.
    """
    lineage, facts = published.code.lineage, published.code.facts[name]
    of = lineage.models[name]
    described = {column: said for column, _, said in facts.columns}
    reads = [one for one in lineage.upstream(name) if one in urls]
    read_by = [one for one in lineage.downstream(name) if one in urls]

    def columns_of(names: Sequence[str]) -> list[Cell]:
        return [in_graph(one) for one in names if model_of(one) in urls and one not in personal]

    marked = lineage.personal(name)
    return {
        "model": {
            "name": name,
            "description": of.description,
            "owner": of.owner,
            "grain": ", ".join(facts.grain),
            "kind": t["source_kind" if of.kind == "source" else of.kind],
            "audits": [
                f"{one}: {claims[one]}" if one in claims else one
                for one in facts.audits
            ],
            "rows_by": ", ".join(one for one in of.rows_by if one not in personal),
        },
        "graph": drawn(name, reads, read_by, urls),
        "neighbours": [
            *((t["reads"], {"url": urls[n], "text": n}, lineage.models[n].description)
              for n in reads),
            *((t["read_by"], {"url": urls[n], "text": n}, lineage.models[n].description)
              for n in read_by),
        ],
        "graph_url": in_graph(name)["url"],
        "tests": tests,
        "export": published.export_file(name.partition(".")[2])
        if of.layer == Layer.EXPORTS else "",
        "columns": [
            (
                {**in_graph(f"{name}.{column}"), "text": column},
                type_,
                described.get(column, "") + (f" ({t['personal']})" if column in marked else ""),
                columns_of(lineage.upstream(f"{name}.{column}")),
                columns_of(lineage.downstream(f"{name}.{column}")),
            )
            for column, type_ in of.types.items()
            if f"{name}.{column}" not in personal
        ],
    }  # fmt: skip
