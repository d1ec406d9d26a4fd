"""What the global options say: as of when, where, on which gateway."""

import os
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from data_platform.errors import UsageError
from data_platform.names import GATEWAYS

CONFIG_FILE = "config.yaml"
CONTRACT_FILE = "external_models.yaml"
SOURCES_FILE = "sources.yaml"
DATABASE = "lakehouse.duckdb"  # as in config.yaml, which SQLMesh's own commands read
# What DuckDB reads as a pattern or as the beginning of options, wherever it stands in a path.
_NOT_IN_PATHS = "?*[]"
# Of a project: what SQLMesh, Python and people read.
_OF_CODE = ("models", "macros", "audits", "seeds", "tests", "linter", "platform", "docs")


@dataclass(frozen=True)
class Settings:
    """The global options of a command line, all of them checked."""

    as_of: date
    project_dir: Path
    data_dir: Path
    gateway: str
    # Of a gateway with a catalogue: which one, where it is not the published one, and the folder of
    # its files, where it is not the data folder's.
    catalogue: str = ""
    warehouse: Path | None = None

    @property
    def sources_dir(self) -> Path:
        """The folder of the extracts and their manifest."""
        return self.data_dir / "sources"

    @property
    def lakehouse(self) -> Path:
        """The DuckDB file; SQLMesh's config.yaml names the same one."""
        return self.data_dir / "lakehouse" / DATABASE

    @property
    def report_dir(self) -> Path:
        """The folder of the report."""
        return self.data_dir / "report"

    @property
    def exports_dir(self) -> Path:
        """The folder of the export files."""
        return self.data_dir / "exports"

    @property
    def tells_lineage(self) -> bool:
        """Whether lineage events are to be sent: the client's own configuration is there."""
        names = ("OPENLINEAGE_URL", "OPENLINEAGE_CONFIG", "OPENLINEAGE__TRANSPORT__TYPE")
        return any(map(os.environ.get, names)) or (self.project_dir / "openlineage.yml").exists()


def yesterday() -> date:
    """The last complete day (UTC)."""
    return (datetime.now(UTC) - timedelta(days=1)).date()


def find_project(given: Path | None) -> Path:
    """The folder of the project: the one that is given, or the current one or the first above it.

    Raises:
        UsageError: it is none.
    """
    folders = [given.resolve()] if given else [Path.cwd(), *Path.cwd().parents]
    for folder in folders:
        if (folder / CONFIG_FILE).is_file() and (folder / CONTRACT_FILE).is_file():
            return folder
    where = f"{given} is not" if given else f"neither {folders[0]} nor a folder above it is"
    raise UsageError(
        f"{where} a project of the data platform (a folder with {CONFIG_FILE} and "
        f"{CONTRACT_FILE}); go to it, or name it with --project-dir"
    )


def checked_data_dir(given: Path, project: Path) -> Path:
    """The folder of everything that is generated, by its whole path.

    Raises:
        UsageError: it is the project's own, lies in a folder of its code, its parent does not
            exist, or DuckDB would misread its name.
    """
    path = given.absolute()
    if path.resolve() == project:
        raise UsageError(f"--data-dir {given} is the project's folder; choose one for data alone")
    wrong = sorted({c for c in str(path) if c in _NOT_IN_PATHS or not c.isprintable()})
    if wrong:
        shown = " ".join(c if c.isprintable() else repr(c) for c in wrong)
        raise UsageError(
            f"--data-dir {str(path)!r} holds {shown}, which DuckDB reads as more than a name; "
            "choose a folder without"
        )
    if path.resolve().is_relative_to(project):
        folder = path.resolve().relative_to(project).parts[0]
        if folder in _OF_CODE:
            raise UsageError(
                f"--data-dir {given} lies in the project's folder {folder}; choose one for data "
                "alone"
            )
    if not path.parent.is_dir():
        raise UsageError(f"--data-dir: folder {path.parent} does not exist")
    return path


def checked_gateway(given: str, project: Path) -> str:
    """A gateway that the platform knows, or else config.yaml, before anything is done.

    Raises:
        UsageError: neither knows it.
    """
    if given in GATEWAYS:
        return given
    import jinja2
    import yaml

    with suppress(OSError, UnicodeError, jinja2.TemplateError, yaml.YAMLError):  # SQLMesh will tell
        text = (project / CONFIG_FILE).read_text(encoding="utf-8")
        said = yaml.safe_load(jinja2.Template(text).render(env_var=os.environ.get))
        known = said.get("gateways") if isinstance(said, dict) else None
        if isinstance(known, dict) and given not in known:
            raise UsageError(
                f"there is no gateway {given!r} in {CONFIG_FILE}; there are "
                f"{', '.join(dict.fromkeys((*GATEWAYS, *known)))}"
            )
    return given
