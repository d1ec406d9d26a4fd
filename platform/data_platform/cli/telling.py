"""What commands tell of steps, warnings, stale sources and environments that are behind."""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import TYPE_CHECKING

from data_platform.cli.action import Call
from data_platform.errors import one_line
from data_platform.result import counted

if TYPE_CHECKING:
    from data_platform.delivery.export import Exported
    from data_platform.ingest.load import Loaded
    from data_platform.lakehouse.run import Run
    from data_platform.operations.standing import Settled
    from data_platform.record.rows import Audited, FailedAudit
    from data_platform.transform.transformed import Transformed


def tell_step(call: Call, done: "Loaded | Transformed | Exported") -> None:
    """Tell what a step has found, besides its summary."""
    from data_platform.delivery.export import Exported
    from data_platform.ingest.load import Loaded

    if isinstance(done, Loaded):
        _tell_loaded(call, done)
    elif isinstance(done, Exported):
        for file in done.files:
            total = "" if file.total is None else f", {file.total:,} € like the invoices"
            call.reporter.detail(f"  {file.path.name}: {file.rows:,} rows{total}")
        if done.removed:
            call.reporter.say_when_published(
                f"Removed, as they showed an earlier state: {', '.join(done.removed)}; to have "
                "them written each time: --format, which may be given twice, and --csv-dialect"
            )
    else:
        call.findings.lineage = done.lineage
        call.findings.undeployed = done.undeployed
        for model in done.ran:
            why = done.restated.get(model.model_name)
            reason = f", {why}" if why else ""
            audits = _seconds_of_audits(done.audits, model.model_name)
            call.reporter.detail(f"  {model.model_name}{reason}: {model.seconds:.2f} s{audits}")
        tell_transformed(call, done)


def _seconds_of_audits(audits: Sequence["Audited"], model: str) -> str:
    """How long the audits of a model took, and each that took a hundredth of a second or more.

    Those of all are in ops.audits.
    """
    seconds = [(one.seconds or 0, one.audit) for one in audits if one.model_name == model]
    long = [f"{name} {took:.2f} s" for took, name in sorted(seconds, reverse=True) if took >= 0.01]
    total = sum(took for took, _ in seconds)
    return f" (audits {total:.2f} s: {', '.join(long)})" if long else ""


def _tell_loaded(call: Call, done: "Loaded") -> None:
    for migration in done.schema_changes:
        call.reporter.say_when_published(f"{migration}.")
    if done.back_from:
        call.reporter.warn(back_in_time(done))
    for change in done.changes:
        if not change.is_nothing:
            call.reporter.detail(f"  {change}")
    tell_warnings(call, done.new_warnings, done.warnings)
    warn_if_stale(call, dict.fromkeys(done.sources, done.batch.as_of))


def tell_warnings(
    call: Call, news: Sequence["FailedAudit"], standing: Sequence["FailedAudit"]
) -> None:
    """Warn of what is new or has changed; of the rest, only that it stands."""
    from data_platform.record.standing_warnings import told

    for warning in news:
        call.reporter.warn(told(warning))
    known = {(warning.model, warning.audit) for warning in news}
    old = [one for one in standing if (one.model, one.audit) not in known]
    if old:
        stand = "stands" if len(old) == 1 else "stand"
        since = min(str(one.since) for one in old)
        call.reporter.say(f"{counted(len(old), 'warning')} {stand} since {since}: just status")


def back_in_time(done: "Loaded") -> str:
    """What it means that a load is of an earlier day, and how to come back."""
    return (
        f"back in time: the lakehouse showed {done.back_from} and will show {done.batch.as_of}, "
        "with every figure as of that day; the CRM log keeps its later entries; to come back: "
        f"just run --as-of {done.back_from}"
    )


def tell_transformed(call: Call, done: "Transformed") -> None:
    """Warn of what audits found, of code that was kept and of environments left behind."""
    standing = [warning for warning in done.warnings if not warning.is_of_a_source]
    tell_warnings(call, done.new_warnings, standing)  # the load has told the others
    _warn_of_undeployed(call, done.undeployed)
    warn_of_environments(call, done.environments_behind, done.load_number)


def _warn_of_undeployed(call: Call, models: Sequence[str]) -> None:
    if models:
        call.reporter.warn(
            "production keeps its own code where the working tree differs: "
            f"{', '.join(models)}; to change it: just plan, then just promote"
        )


def tell_settled(call: Call, settled: "Settled") -> None:
    """Tell that there is nothing to do, and of what stands all the same."""
    from data_platform.lakehouse.connection import reading
    from data_platform.record.loads import loaded_tables
    from data_platform.record.standing_warnings import standing_warnings
    from data_platform.record.transforms import last_transformed, recorded_environments_behind

    with reading(call.settings) as connection:
        warnings = standing_warnings(connection)
        behind = recorded_environments_behind(connection)
        load_number = last_transformed(connection) or 0
        tables = loaded_tables(connection)
    as_of = {name.partition("__")[0]: table.batch.as_of for name, table in tables.items()}
    warn_if_stale(call, as_of)
    tell_warnings(call, (), warnings)
    _warn_of_undeployed(call, settled.undeployed)
    warn_of_environments(call, behind, load_number)
    call.reporter.say(
        f"run: nothing to do, all stands since run {settled.run_number} ({settled.at} UTC): "
        "applications, models, settings and results are the same"
    )


def warn_if_stale(call: Call, as_of: Mapping[str, date]) -> None:
    """Warn of each source whose data is older than sources.yaml allows."""
    from data_platform.sources.freshness import freshness

    for source in freshness(call.settings.project_dir, as_of):
        if source.is_stale:
            call.reporter.warn(str(source))


def warn_of_environments(
    call: Call, behind: Mapping[str, tuple[str, ...]], load_number: int
) -> None:
    """Warn of each environment with tables that do not show the last load."""
    for environment, models in behind.items():
        call.reporter.warn(
            f"environment {environment} does not show load {load_number} in "
            f"{', '.join(models)}; to refresh it: just plan {environment}"
        )


def tell_catalogue(call: Call, run: "Run") -> None:
    """Send a run's lineage events; if that fails, warn instead of failing the run."""
    from data_platform.operations.lineage_events import emit, run_events

    try:
        emit(run_events(call.findings.lineage, run.row, run.noted, call.settings), call.settings)
    except Exception as error:  # whatever the client's transports raise
        call.reporter.warn(f"the run's lineage events were not sent: {one_line(str(error))}")
