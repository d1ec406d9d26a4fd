"""The status of a data folder for machines and for people."""

from dataclasses import asdict, replace
from typing import Any

from data_platform.operations.status import Status
from data_platform.record.rows import Outcome
from data_platform.result import Result


def status_json(found: Status) -> dict[str, Any]:
    """The status for machines."""
    document = asdict(replace(found, runs={}))
    document["runs"] = [
        {**asdict(run), "steps": [asdict(step) for step in steps]}
        for run, steps in found.runs.items()
    ]
    for name in ("is_current", "is_healthy", "last_run_failed", "problems", "reasons"):
        document[name] = getattr(found, name)
    document["healthy"] = found.is_healthy
    for source, entry in zip(found.sources, document["sources"], strict=True):
        entry["is_stale"] = source.is_stale
    return document


def lines(found: Status) -> list[str]:
    """What there is to say of a status, apart from its problems."""
    said = []
    if (load := found.load) is not None:
        said.append(
            f"Load {load.load_number} as of {load.as_of}, seed {load.random_seed}, "
            f"scale {load.scale:g}, loaded at {load.loaded_at:%F %T} UTC"
        )
        if found.is_current:
            said.append("Production reflects it.")
    else:
        said.append("Nothing is loaded yet.")
    if found.release and found.published_by:
        said.append(f"Release {found.release}, published by run {found.published_by}.")
    if promotion := found.promotion:
        what = f"{promotion['action']} {promotion['environment']}".strip()
        said.append(
            f"Production has the code of promotion {promotion['promotion_number']} ({what}, "
            f"{promotion['promoted_at']:%F %H:%M} UTC)."
        )
    if found.environments:
        said.append(
            "Environments: "
            + ", ".join(
                f"{name} (until {expires:%F})" if expires else name
                for name, expires in found.environments.items()
            )
        )
    for run in found.runs:
        if run.outcome == Outcome.RUNNING:
            said.append(
                f"Run {run.run_number} (`{run.command}`, process {run.process_id}) "
                f"has been at work since {run.started_at:%F %T} UTC."
            )
    if found.writer:
        said.append(f"{found.writer}.")
    return said


def runs_table(found: Status) -> Result:
    """The last runs, the latest first."""
    return Result(
        ("run", "command", "outcome", "began (UTC)", "seconds", "as of", "release"),
        [
            (
                run.run_number,
                run.command,
                run.outcome,
                f"{run.started_at:%m-%d %H:%M}",
                "" if run.seconds is None else f"{run.seconds:.1f}",
                run.as_of,
                run.release,
            )
            for run in found.runs
        ],
    )


def sources_table(found: Status) -> Result:
    """The source tables and how old they are."""
    ages = {source.source: source for source in found.sources}
    return Result(
        ("source table", "rows", "as of", "days behind", "variant"),
        [
            (
                table.name,
                f"{table.rows:,}",
                table.as_of,
                age.days_old if (age := ages.get(table.name.partition("__")[0])) else "",
                table.variant,
            )
            for table in found.tables
        ],
    )
