"""Names that the command line needs, kept apart from heavy imports so that it starts fast."""

from enum import StrEnum

# The table of loads, which the platform keeps itself.
EXTRACTS = "platform__extracts"


class Layer(StrEnum):
    """The layers of models, in the order in which data flows; also the folders of models/."""

    STAGING = "staging"
    INTERMEDIATE = "intermediate"
    MARTS = "marts"
    EXPORTS = "exports"
    REPORT = "report"


# Variables that say how much memory DuckDB may take, and how much of the disk what does not fit.
MEMORY_LIMIT, SPILL_LIMIT = "DATA_PLATFORM_MEMORY_LIMIT", "DATA_PLATFORM_SPILL_LIMIT"
LIMITS = {MEMORY_LIMIT: "1500MB", SPILL_LIMIT: "90% of available disk space"}  # without them

# What SQLMesh calls production.
PROD = "prod"

# The gateways of config.yaml that the platform knows; a lakehouse moves between the first two.
DUCKDB, TEAM, SPARK, POSTGRES = GATEWAYS = "duckdb", "team", "spark", "postgres"
MOVABLE = (DUCKDB, TEAM)
# Engines that compute beside the DuckDB file of the record.
BESIDE_DUCKDB = (SPARK, POSTGRES)

# Layers of views that only format what a mart shows, for readers.
SHOWN_TO_READERS = (Layer.EXPORTS, Layer.REPORT)


class FaultKind(StrEnum):
    """The real errors that can be planted in an extract."""

    OVERLAPPING_CONTRACTS = "overlapping-contracts"
    ORPHAN_INVOICES = "orphan-invoices"
    DUPLICATE_REFERENCES = "duplicate-references"
    UNKNOWN_ENTITY = "unknown-entity"
    NEGATIVE_AMOUNTS = "negative-amounts"
    END_BEFORE_START = "end-before-start"


class ExportFormat(StrEnum):
    """The formats of export files; also their endings."""

    CSV = "csv"
    PARQUET = "parquet"
    XLSX = "xlsx"
    # CSV as a French Excel opens it by double click, beside the auditor's own.
    EXCEL_FR = "excel-fr.csv"


class StatusFormat(StrEnum):
    """The shapes of the status."""

    TABLE = "table"
    JSON = "json"


class ResultFormat(StrEnum):
    """The shapes of a query's result."""

    TABLE = "table"
    CSV = "csv"
    JSON = "json"
    MARKDOWN = "markdown"


class LineageFormat(StrEnum):
    """The shapes of a lineage."""

    TREE = "tree"
    MERMAID = "mermaid"
    JSON = "json"
    OPENLINEAGE = "openlineage"


class ReviewFormat(StrEnum):
    """The shapes of what is reviewed before a promotion: a plan, a diff."""

    TEXT = "text"
    MARKDOWN = "markdown"
    JSON = "json"
