"""The linter's own rules: each finds the model that breaks it, and no other."""

from pathlib import Path

from conftest import Platform
from data_platform.project import read_project

SOUND = """
MODEL (
  name marts.sound,
  kind FULL,
  owner data,
  grain day,
  description 'One row per day.',
  column_descriptions (day = 'The day.'),
  audits (not_null(columns := (day)))
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
    "no_audits": (",\n  audits (not_null(columns := (day)))", "", "nomissingaudits"),
    "select_star": ("as_of_date::DATE AS day", "*", "noselectstar"),
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


def test_the_project_s_own_models_break_none(analyst: Platform) -> None:
    assert violations(analyst.project) == set()
