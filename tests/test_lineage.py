"""Lineage: from the source's column to the reader's file, and who would notice a change."""

import json
import os
import shutil
import socket
import subprocess
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import Any, get_args, get_origin, get_type_hints

import attr
import pytest
from openlineage.client import event_v2, facet_v2

from conftest import PROJECT, Platform, begin
from data_platform.project.lineage import working_tree
from data_platform.project.lineage.graph import MONEY, PERSONAL
from data_platform.project.lineage.working_tree import read_lineage
from editing import double_the_turnover, edit
from sample_models import IN_PYTHON


def test_the_lineage_of_a_column_reaches_from_the_source_to_the_export(platform: Platform) -> None:
    tree = platform.call("lineage", "marts.finance__turnover_by_cohort.turnover").stdout
    up, down = tree.split("goes into")
    assert "sources.app__invoices.amount" in up
    assert "exports.turnover_by_cohort.Turnover (in €)" in down
    assert not platform.data.exists()


def test_the_lineage_of_a_model_that_extends_itself_comes_to_an_end(platform: Platform) -> None:
    column = "intermediate.turnover_by_contract_month.cumulative_turnover"
    tree = platform.call("lineage", column).stdout
    assert f"{column}, of the period before" in tree
    assert "sources.app__invoices.amount" in tree


def test_an_unknown_model_gets_near_matches(platform: Platform) -> None:
    done = platform.call("lineage", "marts.kpi_nps", check=False)
    assert done.returncode == 2
    assert "no model or column marts.kpi_nps; did you mean marts.kpi__nps" in done.stderr


def test_the_graph_of_a_column_is_the_same_in_every_shape(platform: Platform) -> None:
    name = "marts.kpi__monthly_turnover.amount"
    found = json.loads(platform.call("lineage", name, "--format", "json").stdout)
    assert found["upstream"][-1] == "staging.app__invoices.amount"
    assert "sources.app__invoices.amount" in found["upstream"]
    assert found["downstream"] == [
        "exports.monthly_turnover.Turnover (in €)",
        *(f"report.overview__turnover.{c}" for c in ("amount", "amount_year_before")),
        "report.overview__turnover.change_percent",
    ]
    assert not found["personal"]
    mermaid = platform.call("lineage", name, "--format", "mermaid").stdout
    assert mermaid.startswith("flowchart LR") and mermaid.count(" --> ") == len(found["edges"])
    for model in ("sources.app__invoices", "exports.monthly_turnover"):
        assert f'["{model}"]' in mermaid


def test_the_impact_of_a_column_is_told_by_values_and_by_rows(platform: Platform) -> None:
    lines = platform.call("lineage", "staging.app__invoices.issue_date", "--impact").stdout
    # It is grouped by: no column is made of it, and yet every month's turnover would move.
    assert "exports.monthly_turnover: in its rows" in lines
    assert "exports.stagnant_freelancers: in Last Invoice Date and in its rows" in lines
    found = json.loads(
        platform.call(
            "lineage", "staging.app__users.first_name", "--impact", "--format", "json"
        ).stdout
    )
    assert found["exports"] == [
        "exports.cumulative_turnover",
        "exports.stagnant_freelancers",
        "exports.turnover_by_cohort",
    ]
    assert found["charts"][0] == "report.care__stagnant_freelancers"
    assert "Freelancer First Name" in found["columns"]["exports.turnover_by_cohort"]
    assert "Freelancer Last Name" not in found["columns"]["exports.turnover_by_cohort"]
    # Scores are matched by it.
    assert "marts.kpi__nps_monthly" in found["rows_of"]
    assert "marts.kpi__monthly_turnover" not in found["columns"]
    nothing = platform.call("lineage", "exports.monthly_turnover", "--impact").stdout
    assert nothing.startswith("Nothing is made of exports.monthly_turnover.")


@pytest.mark.slow(reason="the project is read after each edit")
def test_a_kept_lineage_follows_every_edit(analyst: Platform) -> None:
    cache = analyst.project / ".cache/lineage"
    shutil.rmtree(cache, ignore_errors=True)
    column = "exports.monthly_turnover.Turnover (in €)"
    before = read_lineage(analyst.project)
    assert before == read_lineage(analyst.project)
    assert len(list(cache.glob("[0-9a-f]*.json"))) == 1
    model = analyst.project / "models/marts/kpi__monthly_turnover.sql"
    stat = model.stat()
    text = model.read_text().replace("(18, 2) AS amount", "(18, 2) AS total")
    model.write_text(text.replace("    amount = ", "    total = "))
    os.utime(model, ns=(stat.st_atime_ns, stat.st_mtime_ns))  # as if it had not been touched
    export = analyst.project / "models/exports/monthly_turnover.sql"
    export.write_text(export.read_text().replace("(amount)", "(total)"))
    # SQLMesh's own cache goes by the time, in whole seconds.
    os.utime(model, ns=(stat.st_atime_ns, stat.st_mtime_ns + 2_000_000_000))
    assert before.columns[column] == ("marts.kpi__monthly_turnover.amount",)
    after = read_lineage(analyst.project)
    assert after.columns[column] == ("marts.kpi__monthly_turnover.total",)
    macro = analyst.project / "macros/numbers.py"
    macro.write_text(macro.read_text() + "\n# edited\n")
    read_lineage(analyst.project)
    assert len(list(cache.glob("[0-9a-f]*.json"))) == 3


def test_a_project_that_cannot_be_written_to_is_read_all_the_same(analyst: Platform) -> None:
    shutil.rmtree(analyst.project / ".cache", ignore_errors=True)
    (analyst.project / ".cache").mkdir()
    (analyst.project / ".cache/lineage").write_text("in the way")
    assert read_lineage(analyst.project) == read_lineage(PROJECT)


def test_marks_are_inherited_and_end_where_a_model_says_so() -> None:
    lineage = read_lineage(PROJECT)
    assert lineage.personal("exports.turnover_by_cohort") == {
        "Freelancer Last Name",
        "Freelancer First Name",
    }
    assert lineage.personal("marts.kpi__nps") == set()
    assert "sk" not in lineage.personal("intermediate.freelancers")
    assert lineage.money("marts.care__cumulative_turnover") == {"turnover", "cumulative_turnover"}
    assert lineage.money("exports.monthly_turnover") == {"Turnover (in €)"}
    # A date that is picked by an amount's row is no amount.
    assert not any("date" in column for column in lineage.marked(MONEY))
    assert not lineage.marked(PERSONAL) & lineage.marked(MONEY)


# --- OpenLineage ------------------------------------------------------------------------------


def structured(found: Any, type_: Any, place: str = "event") -> None:
    """Check JSON against the classes that OpenLineage makes of its published schema, strictly."""
    options = [one for one in get_args(type_) if one is not type(None)]
    origin = get_origin(type_)
    if origin in (list, tuple):
        assert isinstance(found, list), place
        for number, one in enumerate(found):
            structured(one, get_args(type_)[0], f"{place}[{number}]")
    elif origin is dict:
        assert isinstance(found, dict), place
        for name, one in found.items():
            structured(one, facet_class(one) or get_args(type_)[1], f"{place}.{name}")
    elif options:
        if found is not None:
            structured(found, options[0], place)
    elif attr.has(type_):
        hints = get_type_hints(type_)
        known = {field.name: field for field in attr.fields(type_)}
        assert found.keys() <= known.keys(), f"{place}: unknown {found.keys() - known.keys()}"
        for name, field in known.items():
            if name in found:
                structured(found[name], hints[name], f"{place}.{name}")
            else:
                assert field.default is not attr.NOTHING, f"{place} lacks {name}"
        given = {f.alias: found[name] for name, f in known.items() if name in found and f.init}
        type_(**given)  # its own validators
    elif isinstance(type_, type) and type_ in (str, int, bool, float):
        assert isinstance(found, type_), f"{place}: {found!r} is no {type_.__name__}"


def facet_class(found: Any) -> Any:
    """The class of a facet, by the address of its schema."""
    if not isinstance(found, dict) or "_schemaURL" not in found:
        return None
    name = found["_schemaURL"].rpartition("/")[2]
    modules = [getattr(facet_v2, one) for one in dir(facet_v2) if one.islower()]
    (class_,) = {getattr(module, name) for module in modules if hasattr(module, name)} - {None}
    assert found["_schemaURL"] == class_._get_schema()
    return class_


def check_events(lines: str) -> list[dict[str, Any]]:
    found = [json.loads(line) for line in lines.splitlines()]
    for one in found:
        name = one["schemaURL"].rpartition("/")[2]
        structured(one, getattr(event_v2, name))
    return found


def test_the_project_s_lineage_as_events_is_what_openlineage_takes(platform: Platform) -> None:
    lines = platform.call("lineage", "marts.kpi__nps", "--format", "openlineage").stdout
    found = check_events(lines)
    assert {one["schemaURL"].rpartition("/")[2] for one in found} == {"JobEvent"}
    (nps,) = (one for one in found if one["job"]["name"] == "marts.kpi__nps")
    facets = nps["outputs"][0]["facets"]
    assert facets["columnLineage"]["fields"]["nps"]["inputFields"] == [
        {
            "namespace": nps["outputs"][0]["namespace"],
            "name": "intermediate.freelancers",
            "field": "satisfaction_score",
            "transformations": [{"type": "DIRECT"}],
        }
    ]


@pytest.mark.slow(reason="runs for what is sent to a catalogue, not for what is published")
def test_a_run_tells_of_itself_and_of_each_model(
    begun: Platform, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = tmp_path / "events.jsonl"
    monkeypatch.setenv("OPENLINEAGE__TRANSPORT__TYPE", "file")
    monkeypatch.setenv("OPENLINEAGE__TRANSPORT__LOG_FILE_PATH", str(told))
    monkeypatch.setenv("OPENLINEAGE__TRANSPORT__APPEND", "true")
    formats = ["--format", "csv", "--format", "xlsx", "--csv-dialect", "excel-fr"]
    begun.call("run", *formats, options=["--scale", "0.2", "--as-of", "2024-03-02"])
    found = check_events(told.read_text())
    ended = [(one["job"]["name"], one["eventType"]) for one in found]
    assert ended[0] == ("run", "START") and ended[-1] == ("run", "COMPLETE")
    assert ("marts.kpi__monthly_turnover", "COMPLETE") in ended
    by_run = {}
    for one in found:
        by_run.setdefault(one["run"]["runId"], []).append(one["eventType"])
    assert set(map(tuple, by_run.values())) == {("START", "COMPLETE")}
    (load,) = (o for o in found if (o["job"]["name"], o["eventType"]) == ("load", "COMPLETE"))
    assert {"file"} == {one["namespace"] for one in load["inputs"]}
    (export,) = (o for o in found if (o["job"]["name"], o["eventType"]) == ("export", "COMPLETE"))
    assert any(one["name"].endswith("exports/monthly_turnover.csv") for one in export["outputs"])
    views = begun.rows("SELECT view_name FROM duckdb_views() WHERE schema_name = 'exports'")
    assert len(export["outputs"]) == 2 * len(views) + 1
    assert {one["name"] for one in export["inputs"]} == {f"exports.{name}" for (name,) in views}
    told.unlink()
    begun.call("run", "--inject", "negative-amounts", check=False)
    found = check_events(told.read_text())
    assert found[-1]["eventType"] == "FAIL"
    assert "non_negative_amounts" in found[-1]["run"]["facets"]["errorMessage"]["message"]


def test_a_catalogue_is_told_over_http_and_one_that_is_away_fails_no_run(
    begun: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken: list[bytes] = []

    class Catalogue(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            taken.append(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(201)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Catalogue) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setenv("OPENLINEAGE_URL", f"http://127.0.0.1:{server.server_port}")
        begun.call("extract")
        server.shutdown()
    assert [one["eventType"] for one in check_events(b"\n".join(taken).decode())] == [
        "START",
        "COMPLETE",
    ]
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port = unused.getsockname()[1]
    monkeypatch.delenv("OPENLINEAGE_URL")
    monkeypatch.setenv("OPENLINEAGE__TRANSPORT__TYPE", "http")
    monkeypatch.setenv("OPENLINEAGE__TRANSPORT__URL", f"http://127.0.0.1:{port}")
    monkeypatch.setenv("OPENLINEAGE__TRANSPORT__RETRY__TOTAL", "0")
    done = begun.call("extract")
    assert "Warning: the run's lineage events were not sent:" in done.stderr


@pytest.mark.slow(reason="runs over edited code; that events are sent is tried each time")
def test_events_tell_of_the_code_that_ran_not_of_the_working_tree(
    analyst: Platform, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begin(analyst)
    double_the_turnover(analyst)
    model = analyst.project / "models/marts/kpi__monthly_turnover.sql"
    model.write_text(model.read_text().replace("issue_month_date", "month_date"))
    told = tmp_path / "events.jsonl"
    monkeypatch.setenv("OPENLINEAGE__TRANSPORT__TYPE", "file")
    monkeypatch.setenv("OPENLINEAGE__TRANSPORT__LOG_FILE_PATH", str(told))
    monkeypatch.setenv("OPENLINEAGE__TRANSPORT__APPEND", "true")
    analyst.call("run", options=["--scale", "0.2", "--as-of", "2024-03-02"])
    assert '"issue_month_date"' in told.read_text() and '"month_date"' not in told.read_text()


EXPORTED = """
MODEL (
  name exports.people, kind VIEW, owner care, grain "Who", description 'One row per person.',
  column_descriptions ("Who" = 'The person.', "Score" = 'A score.'),
  audits (same_number_of_rows(other := marts.people))
);

SELECT who::TEXT AS "Who", score::INT AS "Score" FROM marts.people
"""


def with_a_model_that_cannot_be_read(platform: Platform) -> None:
    """A Python model over people, and an export of it."""
    (platform.project / "models/marts/people.py").write_text(IN_PYTHON)
    (platform.project / "models/exports/people.sql").write_text(EXPORTED)
    for rule in ("nomissingaudits", "nomissinggrainaudit", "nomissingmodeltest"):
        edit(platform, "config.yaml", f"    - {rule}\n", "")


@pytest.mark.slow(reason="a plan for a model of a kind that the project has none of")
def test_a_model_that_cannot_be_read_counts_as_made_of_all_that_it_reads(
    analyst: Platform,
) -> None:
    """Names that a Python model passes on are personal."""
    with_a_model_that_cannot_be_read(analyst)
    lineage = read_lineage(analyst.project)
    freelancers = set(lineage.models["intermediate.freelancers"].types)
    for column in ("who", "score"):
        assert set(lineage.upstream(f"marts.people.{column}")) == {
            f"intermediate.freelancers.{name}" for name in freelancers
        }
    assert lineage.personal("exports.people") == {"Who", "Score"}


@pytest.mark.slow(reason="Python models are rare; what SQL models show is masked the same way")
def test_a_change_of_a_model_that_cannot_be_read_may_change_any_value(analyst: Platform) -> None:
    begin(analyst)
    with_a_model_that_cannot_be_read(analyst)
    done = analyst.call("plan", "dev", check=False)
    assert done.returncode == 1
    assert "models/exports/people.sql" in done.stderr
    assert "Exports personal data in Score, Who" in done.stderr
    marked = EXPORTED.replace("owner care,", "owner care, tags ('personal:Who', 'personal:Score'),")
    (analyst.project / "models/exports/people.sql").write_text(marked)
    analyst.call("plan", "dev")
    analyst.call("promote", "dev")

    # Every value is another one: it says so, and shows nobody's name.
    edit(analyst, "models/marts/people.py", "* 1", "* 2")
    told = analyst.call("plan", "dev").stdout
    assert "marts.people: changed" in told
    assert "score is computed differently" in told and "who is computed differently" in told
    assert "marts.people: who, score" in told or "marts.people: score, who" in told
    shown = analyst.call("diff", "dev").stdout
    names = {name for (name,) in analyst.rows("SELECT last_name FROM intermediate.freelancers")}
    assert "differ" in shown
    assert not [name for name in names if name in shown]


def personal_view(query: str, header: str = "") -> str:
    return f"""
MODEL (
  name exports.people, kind VIEW, owner care, grain "Who", description 'One row per person.',
  column_descriptions ("Who" = 'The person.', "Other" = 'Something.'){header}
);

{query}
"""


# Columns that hold what is personal, or tell of it, in ways in which SQLGlot does not see it.
HIDDEN = {
    "a union by name": """SELECT s.entity::TEXT AS "Who", 'x'::TEXT AS "Other"
FROM marts.care__stagnant_freelancers AS s
UNION ALL BY NAME
SELECT s.last_name::TEXT AS "Other", s.entity::TEXT AS "Who"
FROM marts.care__stagnant_freelancers AS s""",
    "columns by a pattern": """SELECT
  s.entity::TEXT AS "Who",
  MAX(COLUMNS('last_name'))::TEXT AS "Other"
FROM marts.care__stagnant_freelancers AS s GROUP BY s.entity""",
    "a row that exists": """SELECT s.entity::TEXT AS "Who", EXISTS(
  SELECT 1 FROM marts.care__stagnant_freelancers AS o WHERE o.last_name = 'Martin'
)::TEXT AS "Other" FROM marts.care__stagnant_freelancers AS s""",
}


@pytest.mark.parametrize("name", HIDDEN)
def test_what_is_hidden_from_sqlglot_is_made_of_all_that_is_read(
    analyst: Platform, name: str
) -> None:
    (analyst.project / "models/exports/people.sql").write_text(personal_view(HIDDEN[name]))
    assert "Other" in read_lineage(analyst.project).personal("exports.people")


def test_a_count_of_rows_tells_of_nobody(analyst: Platform) -> None:
    query = """SELECT s.entity::TEXT AS "Who", COUNT(*)::BIGINT AS "Other"
FROM marts.care__stagnant_freelancers AS s GROUP BY s.entity"""
    (analyst.project / "models/exports/people.sql").write_text(personal_view(query))
    assert read_lineage(analyst.project).personal("exports.people") == frozenset()


# Prints how many models' lineage it extracts.
EXTRACTING = """
import sys
from pathlib import Path
from unittest.mock import patch
from data_platform.project.context import read_project
from data_platform.project.lineage import extraction, working_tree
extract = extraction.lineage_of_model
with patch.object(extraction, "lineage_of_model", side_effect=extract) as extracting:
    with read_project(Path(sys.argv[1])) as context:
        working_tree.lineage_of(context.models.values(), context.default_catalog)
print(extracting.call_count)
"""


@pytest.mark.slow(reason="four processes; what is kept is read by every plan")
def test_what_one_process_has_extracted_no_other_does(analyst: Platform) -> None:
    def extracted(seed: str) -> int:
        """By a process that has sets in an order of its own."""
        command = [sys.executable, "-c", EXTRACTING, str(analyst.project)]
        environment = {**os.environ, "PYTHONHASHSEED": seed}
        return int(
            subprocess.run(command, env=environment, check=True, stdout=subprocess.PIPE).stdout
        )

    extracted("1")
    assert extracted("2") == extracted("3") == 0
    edit(analyst, "models/marts/kpi__nps.sql", "owner care", "owner sales")
    assert extracted("4") == 1


def test_the_kept_lineage_depends_on_every_program_that_reads_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    folder = Path(working_tree.__file__).parent
    reads = {path.name for path in folder.glob("*.py")} - {
        "__init__.py",
        "formats.py",
        "production.py",
    }
    assert {path.name for path in working_tree.PROGRAMS} == reads
    copies = [tmp_path / path.name for path in working_tree.PROGRAMS]
    for path, copy in zip(working_tree.PROGRAMS, copies, strict=True):
        copy.write_bytes(path.read_bytes())
    monkeypatch.setattr(working_tree, "PROGRAMS", copies)

    def digest() -> str:
        working_tree.programs.cache_clear()  # what a process keeps
        return working_tree.code_digest(PROJECT)

    for copy in copies:
        before = digest()
        copy.write_text(copy.read_text() + "\n")
        assert digest() != before
    for changed in ("sqlmesh", "sqlglot"):
        now = {"sqlmesh": "1", "sqlglot": "1", changed: "2"}
        monkeypatch.setattr(working_tree, "version", {"sqlmesh": "1", "sqlglot": "1"}.__getitem__)
        before = digest()
        monkeypatch.setattr(working_tree, "version", now.__getitem__)
        assert digest() != before
    copies[0].unlink()
    with pytest.raises(FileNotFoundError):
        digest()
    working_tree.programs.cache_clear()
