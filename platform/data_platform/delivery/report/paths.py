"""What the page of lineage draws: all models and columns, and what each is made of."""

from collections.abc import Set
from typing import Any

from data_platform.project.lineage.graph import PERSONAL
from data_platform.project.lineage.production import ProductionCode


def graph(
    code: ProductionCode,
    hidden: Set[str],
    has_sql: bool,
) -> dict[str, Any]:
    """The graph, as the page's script takes it.

    Args:
        hidden: columns to leave out.
        has_sql: whether each column says how it is computed.
    """
    lineage, personal = code.lineage, code.lineage.marked(PERSONAL)
    found = {}
    for name, model in lineage.models.items():
        columns = {}
        described = {column: said for column, _, said in code.facts[name].columns}
        for column, type_ in model.types.items():
            full = f"{name}.{column}"
            if full in hidden:
                continue
            columns[column] = {
                "type": type_,
                "said": described.get(column, ""),
                "personal": full in personal,
                "of": [one for one in model.made_of.get(column, ()) if one not in hidden],
                "sql": list(model.steps.get(column, ())) if has_sql else [],
            }
        found[name] = {
            "said": model.description,
            "reads": [one for one in lineage.upstream(name) if one in lineage.models],
            "rows_by": [one for one in model.rows_by if one not in hidden],
            "conditions": list(model.conditions) if has_sql else [],
            "columns": columns,
        }
    return found
