"""Lineage as OpenLineage events, which catalogues like Marquez or DataHub take.

Where they go is said in the client's own ways: `openlineage.yml` in the project's folder, or
variables like OPENLINEAGE_URL. Without any of these, nothing is sent.
"""

import logging
import os
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from openlineage.client import OpenLineageClient
from openlineage.client import event_v2 as event
from openlineage.client import facet_v2 as facet

from data_platform import __version__
from data_platform.delivery.export_files import shown_by
from data_platform.lakehouse.stores import store_of
from data_platform.names import Layer
from data_platform.project.lineage.graph import Lineage, ModelLineage, column_of, model_of
from data_platform.record.rows import Audited, ModelRan, Outcome, Row, RunRow, StepRow
from data_platform.settings import Settings

_PRODUCER = f"urn:jump-data-platform:{__version__}"  # a URI, as OpenLineage asks for
_NAMESPACE = "jump-data-platform"
_ENDS = {
    Outcome.SUCCEEDED: event.RunState.COMPLETE,
    Outcome.FAILED: event.RunState.FAIL,
    Outcome.INTERRUPTED: event.RunState.ABORT,
}


def dataset_namespace(settings: Settings) -> str:
    """The namespace of the lakehouse's tables, by its published place."""
    store = store_of(settings)
    return f"{store.scheme}://{store.place(settings)}"


def static_events(
    lineage: Lineage, names: Iterable[str], settings: Settings
) -> list[event.JobEvent]:
    """What some models are made of, by the project's code: an event for each model."""
    event.set_producer(_PRODUCER)
    now = datetime.now(UTC).isoformat()
    space = dataset_namespace(settings)
    return [
        event.JobEvent(
            eventTime=now,
            job=_job(model),
            inputs=_inputs(model, space),
            outputs=[_output(model, lineage, space)],
        )
        for model in (lineage.models[name] for name in names)
        if model.layer != "sources"
    ]


def run_events(
    lineage: Lineage | None,
    run: RunRow,
    rows: Sequence[Row],
    settings: Settings,
) -> list[event.RunEvent]:
    """The beginning and the end of a run, and between them those of each model that it computed.

    Args:
        lineage: of the models that ran; None where no step read them.
        rows: what the run noted of its steps, models and audits.
    """
    event.set_producer(_PRODUCER)
    own = _run_id(run)
    job = event.Job(namespace=_namespace(), name=run.command.partition(" ")[0])
    nominal = datetime(run.as_of.year, run.as_of.month, run.as_of.day, tzinfo=UTC)
    facets: dict[str, Any] = {
        "nominalTime": facet.nominal_time_run.NominalTimeRunFacet(nominal.isoformat()),
        "processing_engine": facet.processing_engine_run.ProcessingEngineRunFacet(
            version=__version__, name="jump-data-platform"
        ),
    }
    ended = (run.finished_at or datetime.now(UTC)).isoformat()
    found = [_run_event(event.RunState.START, run.started_at.isoformat(), own, facets, job)]
    parent = facet.parent_run.ParentRunFacet(
        facet.parent_run.Run(own), facet.parent_run.Job(job.namespace, job.name)
    )
    if lineage is not None:
        steps = [row for row in rows if isinstance(row, StepRow)]
        models = [row for row in rows if isinstance(row, ModelRan)]
        audits = [row for row in rows if isinstance(row, Audited)]
        found += _file_events(lineage, run, steps, parent, settings)
        found += _model_events(lineage, run, models, audits, parent, settings)
    if run.error:
        facets["errorMessage"] = facet.error_message_run.ErrorMessageRunFacet(run.error, "python")
    found.append(_run_event(_ENDS[Outcome(run.outcome)], ended, own, facets, job))
    return found


def _model_events(
    lineage: Lineage,
    run: RunRow,
    models: Sequence[ModelRan],
    audits: Sequence[Audited],
    parent: facet.parent_run.ParentRunFacet,
    settings: Settings,
) -> Iterator[event.RunEvent]:
    space = dataset_namespace(settings)
    # A backfill computes a model day after day: one event tells of all of them.
    seconds: dict[str, float] = {}
    for ran in models:
        seconds[ran.model_name] = seconds.get(ran.model_name, 0) + ran.seconds
    began = run.started_at
    for name, taken in seconds.items():
        if name not in lineage.models:
            continue
        model, ended = lineage.models[name], began + timedelta(seconds=taken)
        stopped = [a for a in audits if a.model_name == name and a.is_blocking and a.failed]
        state = event.RunState.FAIL if stopped else event.RunState.COMPLETE
        run_id, facets = _run_id(run, name), {"parent": parent}
        job, outputs = _job(model), [_output(model, lineage, space)]
        yield _run_event(event.RunState.START, began.isoformat(), run_id, facets, job)
        yield _run_event(
            state, ended.isoformat(), run_id, facets, job, _inputs(model, space), outputs
        )
        began = ended


def _file_events(
    lineage: Lineage,
    run: RunRow,
    steps: Sequence[StepRow],
    parent: facet.parent_run.ParentRunFacet,
    settings: Settings,
) -> Iterator[event.RunEvent]:
    """From the extracts' files to the tables of the sources, and from the exports to theirs."""
    space = dataset_namespace(settings)
    for step in steps:
        inputs: list[event.InputDataset] = []
        outputs: list[event.OutputDataset] = []
        if step.step == "load":
            for model in lineage.models.values():
                source, _, table = model.name.removeprefix("sources.").partition("__")
                place = settings.sources_dir / source / table
                if model.layer == "sources" and place.is_dir():
                    inputs.append(event.InputDataset("file", str(place)))
                    outputs.append(_output(model, lineage, space))
        elif step.step == "export":
            of = f"{Layer.EXPORTS}."
            views = [name.removeprefix(of) for name in lineage.models if name.startswith(of)]
            for path in sorted(settings.exports_dir.glob("*")):
                if shown := shown_by(path, views):
                    found = [event.InputDataset(space, f"{of}{view}") for view in shown]
                    inputs += [one for one in found if one not in inputs]
                    outputs.append(event.OutputDataset("file", str(path)))
        if not outputs or step.outcome != Outcome.SUCCEEDED:
            continue
        job, run_id = event.Job(_namespace(), step.step), _run_id(run, step.step)
        ended = step.started_at + timedelta(seconds=step.seconds or 0)
        began, facets = step.started_at.isoformat(), {"parent": parent}
        yield _run_event(event.RunState.START, began, run_id, facets, job)
        yield _run_event(
            event.RunState.COMPLETE, ended.isoformat(), run_id, facets, job, inputs, outputs
        )


def emit(events: Iterable[event.RunEvent | event.JobEvent], settings: Settings) -> None:
    """Send events to where the configuration says.

    Raises:
        Exception: whatever the client or its transport has to say; nothing else was sent then.
    """
    logging.getLogger("openlineage").setLevel(logging.CRITICAL)
    os.environ.setdefault("OPENLINEAGE_CONFIG", str(settings.project_dir / "openlineage.yml"))
    client = OpenLineageClient()
    try:
        for one in events:
            client.emit(one)
    finally:
        client.close(timeout=5)


def _namespace() -> str:
    return os.environ.get("OPENLINEAGE_NAMESPACE", _NAMESPACE)


def _run_id(run: RunRow, model: str = "") -> str:
    """The same run and model have the same id, whoever tells of it."""
    key = f"{run.host} {run.process_id} {run.run_number} {run.started_at.isoformat()} {model}"
    return str(uuid.uuid5(uuid.NAMESPACE_URL, key))


def _run_event(
    state: event.RunState,
    time: str,
    run_id: str,
    facets: Mapping[str, Any],
    job: event.Job,
    inputs: list[event.InputDataset] | None = None,
    outputs: list[event.OutputDataset] | None = None,
) -> event.RunEvent:
    return event.RunEvent(
        eventType=state,
        eventTime=time,
        run=event.Run(run_id, dict(facets)),
        job=job,
        inputs=inputs or [],
        outputs=outputs or [],
    )


def _job(model: ModelLineage) -> event.Job:
    owner = facet.ownership_job.Owner(f"team:{model.owner}", "MAINTAINER")
    return event.Job(
        namespace=_namespace(),
        name=model.name,
        facets={
            "jobType": facet.job_type_job.JobTypeJobFacet("BATCH", "SQLMESH", "MODEL"),
            "documentation": facet.documentation_job.DocumentationJobFacet(model.description),
            "ownership": facet.ownership_job.OwnershipJobFacet([owner]),
        },
    )


def _inputs(model: ModelLineage, space: str) -> list[event.InputDataset]:
    return [event.InputDataset(space, name) for name in model.reads if name != model.name]


def _output(model: ModelLineage, lineage: Lineage, space: str) -> event.OutputDataset:
    columns = facet.schema_dataset.SchemaDatasetFacetFields
    of_column = facet.column_lineage_dataset.Fields
    personal = lineage.personal(model.name)
    tag = facet.tags_dataset.TagsDatasetFacetFields
    facets: dict[str, Any] = {
        "schema": facet.schema_dataset.SchemaDatasetFacet(
            [columns(name, type_) for name, type_ in model.types.items()]
        ),
        "columnLineage": facet.column_lineage_dataset.ColumnLineageDatasetFacet(
            fields={
                name: of_column([_field(one, space, "DIRECT") for one in parents])
                for name, parents in model.made_of.items()
            },
            dataset=[_field(one, space, "INDIRECT") for one in model.rows_by],
        ),
        "documentation": facet.documentation_dataset.DocumentationDatasetFacet(model.description),
    }
    if personal:
        facets["tags"] = facet.tags_dataset.TagsDatasetFacet(
            [tag("personal", "true", "jump-data-platform", column) for column in sorted(personal)]
        )
    return event.OutputDataset(space, model.name, facets=facets)


def _field(column: str, space: str, kind: str) -> facet.column_lineage_dataset.InputField:
    how = facet.column_lineage_dataset.Transformation(kind)
    return facet.column_lineage_dataset.InputField(
        space, model_of(column), column_of(column), [how]
    )
