"""Two states of the models' code, told apart: what differs, why, and whom it reaches."""

from dataclasses import replace

from conftest import PROJECT
from data_platform.deployment.code_changes import compare, renamed_columns
from data_platform.deployment.plan_formats import cost
from data_platform.project.lineage.graph import Lineage, ModelLineage
from data_platform.project.lineage.working_tree import read_lineage
from data_platform.transform.environments import How

MONTHLY, EXPORT = "marts.kpi__monthly_turnover", "exports.monthly_turnover"
BEFORE = read_lineage(PROJECT)


def edited(name: str, **changes: object) -> Lineage:
    model: ModelLineage = replace(BEFORE.models[name], **changes)  # type: ignore[arg-type]
    return Lineage({**BEFORE.models, name: model})


def follows(*names: str) -> dict[str, How]:
    return dict.fromkeys(names, How.INDIRECTLY_MODIFIED)


def test_a_column_that_is_computed_differently_reaches_what_is_made_of_it() -> None:
    model = BEFORE.models[MONTHLY]
    after = edited(MONTHLY, definitions={**model.definitions, "amount": "another"})
    found = compare(BEFORE, after, {MONTHLY: How.CHANGED, **follows(EXPORT)}, {})
    own, export = found.changes
    assert own.why == ("amount is computed differently",)
    assert own.columns == ("amount",)
    assert export.why == (f"reads {MONTHLY}",)
    assert export.columns == ("Turnover (in €)",)
    assert found.impact.exports == (EXPORT,)
    assert not found.impact.rows_of


def test_other_rows_reach_every_column_of_the_model_and_the_rows_of_its_readers() -> None:
    found = compare(
        BEFORE, edited(MONTHLY, rows="others"), {MONTHLY: How.CHANGED, **follows(EXPORT)}, {}
    )
    own, _ = found.changes
    assert own.why == ("its rows are chosen, matched or grouped differently",)
    assert own.columns == ("issue_month_date", "amount")
    assert found.impact.rows_of == (EXPORT, "report.overview__turnover")


def test_a_renamed_column_is_told_from_a_new_one() -> None:
    model = BEFORE.models[MONTHLY]
    new = {
        "types": {"issue_month_date": "DATE", "turnover": "DECIMAL(18, 2)", "tax": "INT"},
        "definitions": {
            "issue_month_date": model.definitions["issue_month_date"],
            "turnover": model.definitions["amount"],
            "tax": "new",
        },
        "made_of": {**model.made_of, "turnover": model.made_of["amount"], "tax": ()},
    }
    after = edited(MONTHLY, **new)
    assert renamed_columns(model, after.models[MONTHLY]) == {"amount": "turnover"}
    (own,) = compare(BEFORE, after, {MONTHLY: How.CHANGED}, {}).changes
    assert own.why == ("amount is now called turnover", "tax is new")
    # Whoever reads the column by its old name is reached, though nobody has followed yet.
    assert compare(BEFORE, after, {MONTHLY: How.CHANGED}, {}).impact.exports == (EXPORT,)


def test_models_that_come_go_or_are_described_anew() -> None:
    gone = Lineage({n: m for n, m in BEFORE.models.items() if n != EXPORT})
    (change,) = compare(BEFORE, gone, {EXPORT: How.REMOVED}, {}).changes
    assert change.why == ("the model is gone",)
    (change,) = compare(gone, BEFORE, {EXPORT: How.ADDED}, {}).changes
    assert change.why == ("a new model",) and "Month" in change.columns
    (change,) = compare(BEFORE, BEFORE, {EXPORT: How.METADATA_ONLY}, {}).changes
    assert change.why == ("its description or audits changed, not what it computes",)
    (change,) = compare(BEFORE, BEFORE, {EXPORT: How.CHANGED}, {}).changes
    assert change.why == ("how it is stored or audited, not what it computes",)
    assert change.columns == ()


def test_an_edited_model_that_reads_an_edited_one_differs_by_both() -> None:
    model, export = BEFORE.models[MONTHLY], BEFORE.models[EXPORT]
    month, amount = export.types
    models = {
        **BEFORE.models,
        MONTHLY: replace(model, definitions={**model.definitions, "amount": "another"}),
        EXPORT: replace(export, definitions={**export.definitions, month: "another"}),
    }
    changed = dict.fromkeys((MONTHLY, EXPORT), How.CHANGED)
    by_name = {one.model: one for one in compare(BEFORE, Lineage(models), changed, {}).changes}
    assert by_name[EXPORT].why == (
        f"{month} is computed differently",
        f"reads {MONTHLY}, which changed too",
    )
    assert by_name[EXPORT].columns == (month, amount)
    assert by_name[MONTHLY].columns == ("amount",)


def test_other_tags_of_reach_are_told_from_a_description() -> None:
    differing = {MONTHLY: How.METADATA_ONLY}
    found = compare(BEFORE, BEFORE, differing, {}, retagged={MONTHLY})
    assert cost(found) == f"To compute: nothing now; once promoted, all months of {MONTHLY}."
    (change,) = found.changes
    assert change.why == ("other tags choose its months: once promoted, all are computed again",)
