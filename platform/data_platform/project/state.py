"""SQLMesh's state as a file, by SQLMesh's own export and import."""

from pathlib import Path

from sqlmesh.core.console import NoopConsole
from sqlmesh.core.state_sync.export_import import export_state as _export
from sqlmesh.core.state_sync.export_import import import_state as _import

from data_platform.project.context import open_project
from data_platform.settings import Settings


def export_state(settings: Settings, file: Path) -> None:
    """Write what SQLMesh knows of a lakehouse to a file."""
    with open_project(settings, with_unit_tests=False) as project:
        _export(project.context.state_sync, file, console=NoopConsole())


def import_state(settings: Settings, file: Path) -> None:
    """Make SQLMesh know of a lakehouse what a file holds, and nothing else."""
    with open_project(settings, with_unit_tests=False) as project:
        _import(project.context.state_sync, file, clear=True, console=NoopConsole())
