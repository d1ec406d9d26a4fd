"""SQLMesh's console, of which nothing is printed: what a plan tells it goes into the evaluation."""

import re
from collections.abc import Callable
from typing import Any

from sqlmesh.core.console import NoopConsole
from sqlmesh.core.snapshot import Snapshot
from sqlmesh.core.test.result import ModelTextTestResult
from sqlmesh.utils.date import to_date
from sqlmesh.utils.errors import NodeAuditsErrors

from data_platform.errors import one_line
from data_platform.project.error_messages import innermost
from data_platform.project.evaluation import Evaluation, place_of
from data_platform.project.window import Window
from data_platform.sql import short_name

# In a traceback: what was raised, and what shows where in the SQL.
_ERROR, _POINTER = re.compile(r"^[\w.]*(Error|Exception): "), re.compile(r"^LINE \d+: |^\s*\^")


class Recorder(NoopConsole):
    """SQLMesh's console during a plan: prints nothing, keeps what a summary and an error need."""

    def __init__(self, evaluation: Evaluation, progress: Callable[[int, int, str], None]) -> None:
        self.evaluation = evaluation
        self._progress = progress
        self._done = self._total = 0
        self._audit_only = False

    def start_evaluation_progress(
        self, batched_intervals: Any, *_: Any, audit_only: bool = False, **__: Any
    ) -> None:
        """A plan begins to compute models, or to audit them alone."""
        self._done, self._total, self._audit_only = 0, len(batched_intervals), audit_only

    def update_snapshot_evaluation_progress(
        self,
        snapshot: Snapshot,
        interval: Any,
        batch_idx: int,
        duration_ms: int | None,
        *_: Any,
        **__: Any,
    ) -> None:
        """A model was computed and audited, or audited alone, which makes no table current."""
        self._done += 1
        if not snapshot.is_external and not self._audit_only and duration_ms is not None:
            self.evaluation.computed.add(snapshot.snapshot_id)
        window = Window(to_date(interval[0]), to_date(interval[1] - 1)) if interval else None
        self.evaluation.note_model(snapshot, window, (duration_ms or 0) / 1000)
        self._progress(self._done, self._total, short_name(snapshot.name))

    def log_failed_models(self, errors: list[Any]) -> None:
        """A plan ends with models that an audit or an error stopped; of audits we know already."""
        for error in errors:
            if not isinstance(error.__cause__, NodeAuditsErrors):
                name = short_name(getattr(error.node, "snapshot_name", ""))
                self.evaluation.errors.append(
                    f"{self.evaluation.located(name)}: {innermost(error)}"
                )

    def log_test_results(self, result: ModelTextTestResult, *_: Any, **__: Any) -> None:
        """The unit tests ran."""
        self.evaluation.unit_tests = result.testsRun
        for test, traceback in (*result.failures, *result.errors):
            self.evaluation.errors.append(
                f"unit test {test.test_name} of {test.model.name} failed: {_difference(traceback)}"
            )

    def log_error(self, message: str, *_: Any, **__: Any) -> None:
        """SQLMesh has something to say that stops it."""
        self.evaluation.errors.append(one_line(message))

    def show_linter_violations(
        self, violations: list[Any], model: Any, is_error: bool = False
    ) -> None:
        """The linter found fault with a model."""
        if is_error:
            for violation in violations:
                said = one_line(str(violation.violation_msg))
                self.evaluation.errors.append(
                    f"{model.name} ({place_of(model)}): {violation.rule.name}: {said}"
                )


def _difference(traceback: str) -> str:
    """What a failed unit test found: a table of expected and actual values, or the error."""
    first, *table = [line.rstrip() for line in str(traceback).splitlines() if line.strip()]
    if "Data mismatch" not in first:  # a traceback, and perhaps lines that point at the place
        said = [line for line in (first, *table) if not _POINTER.match(line)]
        errors = [place for place, line in enumerate(said) if _ERROR.match(line)]
        headline, *rest = said[errors[-1] if errors else -1 :] or [first]
        return rest[-1].strip() if rest and headline.endswith(":") else _ERROR.sub("", headline)
    return "\n".join(["expected (exp) and actual (act) differ", *(f"    {one}" for one in table)])
