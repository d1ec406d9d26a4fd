"""The linter's own rules: each finds the model that breaks it, and no other."""

from pathlib import Path

import pytest

from conftest import Platform
from data_platform.project.context import read_project

SOUND = """
MODEL (
  name marts.sound,
  kind FULL,
  owner data,
  grain day,
  description 'One row per day.',
  column_descriptions (day = 'The day.'),
  audits (primary_key(key_columns := day))
);

SELECT as_of_date::DATE AS day FROM intermediate.as_of
"""

# What to take away from the sound model, and the rule that misses it.
BREAKS = {
    "no_owner": ("  owner data,\n", "", "nomissingowner"),
    "no_grain": ("  grain day,\n", "", "nomissinggrain"),
    "no_description": ("  description 'One row per day.',\n", "", "nomissingdescription"),
    "no_column_description": ("(day = 'The day.')", "(noon = 'Noon.')", "nomissingdescription"),
    "no_cast": ("as_of_date::DATE AS day", "as_of_date AS day", "nomissingcast"),
    "no_audits": (",\n  audits (primary_key(key_columns := day))", "", "nomissingaudits"),
    "select_star": ("as_of_date::DATE AS day", "*", "noselectstar"),
    "no_grain_audit": (
        "primary_key(key_columns := day)",
        "forall(criteria := (day > '2000-01-01'))",
        "nomissinggrainaudit",
    ),
    "audits_another_key": ("grain day", "grain hour", "nomissinggrainaudit"),
    "compares_another": (
        "primary_key(key_columns := day)",
        "same_rows_and_total(here := marts.sound, here_column := day, "
        "there := intermediate.as_of, there_column := as_of_date)",
        "nomissinggrainaudit",
    ),
    "no_test": (
        "FROM intermediate.as_of",
        "FROM intermediate.as_of WHERE as_of_date > '2000-01-01'",
        "nomissingmodeltest",
    ),
    "reads_too_deep": (
        "as_of_date::DATE AS day FROM intermediate.as_of",
        "issue_date::DATE AS day FROM staging.app__invoices",
        "noupwardreading",
    ),
    "marks_nothing": (
        "grain day,",
        "grain day,\n  tags 'personal:night',",
        "nounmarkedpersonaldata",
    ),
    "vain_word": ("grain day,", "grain day,\n  tags 'anonymous:day',", "nounmarkedpersonaldata"),
}


def violations(project: Path) -> set[tuple[str, str]]:
    with read_project(project) as context:
        found = context.lint_models(raise_on_error=False)
    return {(str(violation.model.name), violation.rule.name) for violation in found}


def test_each_rule_finds_the_model_that_breaks_it(analyst: Platform) -> None:
    marts = analyst.project / "models/marts"
    (marts / "sound.sql").write_text(SOUND)
    for name, (old, new, _) in BREAKS.items():
        assert old in SOUND, name
        broken = SOUND.replace("marts.sound", f"marts.{name}").replace(old, new)
        (marts / f"{name}.sql").write_text(broken)
    found = violations(analyst.project)
    assert {(f"marts.{name}", rule) for name, (_, _, rule) in BREAKS.items()} <= found
    assert not any(model == "marts.sound" for model, _ in found)


@pytest.mark.slow(reason="just lint asks the same")
def test_the_project_s_own_models_break_none(analyst: Platform) -> None:
    assert violations(analyst.project) == set()


EXPORT = """
MODEL (
  name exports.telltale,
  kind VIEW,
  owner care,
  grain "Number",
  description 'One row per contract.',
  column_descriptions ("Number" = 'The contract.', "Who" = 'Whose.', "Amount" = 'How much.'),
  audits (primary_key(key_columns := "Number"))
);

SELECT
  job_contract_sk::TEXT AS "Number",
  @clean_name(first_name || ' ' || last_name)::TEXT AS "Who",
  @euros(cumulative_turnover)::TEXT AS "Amount"
FROM marts.care__stagnant_freelancers
"""


def test_an_export_that_shows_personal_data_says_so(analyst: Platform) -> None:
    model = analyst.project / "models/exports/telltale.sql"
    model.write_text(EXPORT)
    with read_project(analyst.project) as context:
        found = [str(v) for v in context.lint_models(raise_on_error=False) if "personal" in str(v)]
    # Through four layers, a macro and another name; the key and the amount tell of nobody.
    assert len(found) == 1
    assert "Exports personal data in Who," in found[0]
    assert "sources.app__users.first_name, sources.app__users.last_name;" in found[0]
    model.write_text(EXPORT.replace("owner care,", "owner care, tags 'personal:Who',"))
    assert not [rule for _, rule in violations(analyst.project) if "personal" in rule]


def test_a_grain_audited_elsewhere_is_audited_there(analyst: Platform) -> None:
    invoices = analyst.project / "models/intermediate/invoices.sql"
    assert violations(analyst.project) == set()
    code = invoices.read_text()
    audit = code[code.index("    unique_over_time") : code.index("    foreign_key")]
    invoices.write_text(code.replace(audit, ""))
    assert {
        ("staging.app__invoices", "nomissinggrainaudit"),
        ("intermediate.invoices", "nomissinggrainaudit"),
    } <= violations(analyst.project)
