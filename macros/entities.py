"""The Jump companies that employ freelancers, stated once."""

from sqlglot import exp
from sqlmesh import macro

ENTITIES = ("blue", "green")


@macro()
def entities(evaluator):
    """Their names, as a list in parentheses."""
    return exp.Tuple(expressions=[exp.Literal.string(name) for name in ENTITIES])


@macro()
def every_entity(evaluator):
    """A query of one row an entity, by its name."""
    rows = [exp.Tuple(expressions=[exp.Literal.string(name)]) for name in ENTITIES]
    values = exp.Values(
        expressions=rows,
        alias=exp.TableAlias(
            this=exp.to_identifier("names"), columns=[exp.to_identifier("entity")]
        ),
    )
    return exp.select("names.entity").from_(values)
