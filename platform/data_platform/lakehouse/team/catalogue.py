"""The catalogues of a team's lakehouse: schemas of PostgreSQL, one pair a release or private copy.

    <name>                  which release is in force, the numbers of runs, what each copy is of
    <name>_r17              release 17: DuckLake's tables, which name the Parquet files
    <name>_r17_state        what SQLMesh knows of it
    <name>_w23, …_state     the private copy of run 23
    <name>_failed, …_state  that of the last run which an audit stopped

A copy of a catalogue is a copy of a few thousand rows; the Parquet files, which never change, are
shared by all that name them. One row more in `releases` puts a release in force.
"""

from dataclasses import dataclass

from data_platform.lakehouse.postgres_server import Server

_STATE = "_state"


@dataclass(frozen=True)
class Catalogues:
    """The catalogues of one lakehouse, over an open connection."""

    server: Server
    name: str

    def release(self, number: int) -> str:
        """The catalogue of a release."""
        return f"{self.name}_r{number}"

    def private(self, run_number: int) -> str:
        """The catalogue of a run's private copy."""
        return f"{self.name}_w{run_number}"

    @property
    def failed(self) -> str:
        """The catalogue of the copy that is kept of a run which an audit stopped."""
        return f"{self.name}_failed"

    @property
    def current(self) -> int | None:
        """The number of the release in force, None before the first."""
        if not self.is_there(self.name, "releases"):
            return None
        number: int | None = self.server.value(
            "SELECT MAX(number) FROM {of}.releases", of=self.name
        )
        return number

    def prepare(self) -> None:
        """Make what tells of releases, where it is missing."""
        for statement in (
            "CREATE SCHEMA IF NOT EXISTS {of}",
            "CREATE TABLE IF NOT EXISTS {of}.releases (number INTEGER PRIMARY KEY, "
            "run_number BIGINT NOT NULL, published_at TIMESTAMPTZ NOT NULL DEFAULT NOW())",
            "CREATE TABLE IF NOT EXISTS {of}.copies (catalogue TEXT PRIMARY KEY, "
            "release INTEGER, began_at TIMESTAMPTZ NOT NULL DEFAULT NOW())",
            "CREATE SEQUENCE IF NOT EXISTS {of}.runs",
            "CREATE TABLE IF NOT EXISTS {of}.identity (id UUID NOT NULL)",
            "INSERT INTO {of}.identity SELECT gen_random_uuid() "
            "WHERE NOT EXISTS (SELECT 1 FROM {of}.identity)",
        ):
            self.server.execute(statement, of=self.name)

    @property
    def identity(self) -> str:
        """What tells this lakehouse from all others, by which it marks its folder."""
        return str(self.server.value("SELECT id FROM {of}.identity", of=self.name))

    def next_run_number(self, known: int) -> int:
        """A number that no run has had, higher than what is known."""
        number: int = self.server.value("SELECT nextval(%s)", [f"{self.name}.runs"])
        if number <= known:
            number = known + 1
            self.server.execute("SELECT setval(%s, %s)", [f"{self.name}.runs", number])
        return number

    def run_of(self, private: str) -> int:
        """The number of the run whose private copy has a catalogue."""
        return int(private.rpartition("_w")[2].removesuffix("_merged"))

    def base_of(self, private: str) -> int | None:
        """The release that a private copy was made of, None where there was none yet."""
        number: int | None = self.server.value(
            "SELECT release FROM {of}.copies WHERE catalogue = %s", [private], of=self.name
        )
        return number

    def note_copy(self, private: str, base: int | None) -> None:
        """Note what a private copy is made of, so that it stays there."""
        self.server.execute(
            "INSERT INTO {of}.copies (catalogue, release) VALUES (%s, %s) "
            "ON CONFLICT (catalogue) DO UPDATE SET release = EXCLUDED.release",
            [private, base],
            of=self.name,
        )

    def drop_copy(self, private: str) -> None:
        """Drop a private copy, and forget what it was made of."""
        self.drop(private)
        self.server.execute("DELETE FROM {of}.copies WHERE catalogue = %s", [private], of=self.name)

    def publish(self, private: str, number: int, is_copied: bool) -> None:
        """Put a private copy in force as a release.

        Args:
            is_copied: the run goes on in it, from that release on.
        """
        if is_copied:
            self.copy(private, self.release(number))
            self.note_copy(private, number)
        else:
            self.rename(private, self.release(number))
            self.drop_copy(private)
        self.server.execute(
            "INSERT INTO {of}.releases VALUES (%s, %s)",
            [number, self.run_of(private)],
            of=self.name,
        )

    def release_of(self, private: str) -> int | None:
        """The last release that a private copy became, None before."""
        number: int | None = self.server.value(
            "SELECT MAX(number) FROM {of}.releases WHERE run_number = %s",
            [self.run_of(private)],
            of=self.name,
        )
        return number

    def is_there(self, schema: str, table: str = "ducklake_metadata") -> bool:
        """Whether a catalogue is there, or a table of a schema."""
        found = self.server.value("SELECT to_regclass(format('%%I.%%I', %s, %s))", [schema, table])
        return found is not None

    def schemas(self, kind: str) -> list[str]:
        """The catalogues of a kind: r (releases) or w (private copies)."""
        rows = self.server.rows(
            "SELECT nspname FROM pg_namespace WHERE nspname ~ %s ORDER BY 1",
            [f"^{self.name}_{kind}[0-9]+(_merged)?$"],
        )
        return [name for (name,) in rows]

    def copy(self, source: str, target: str) -> None:
        """Copy a catalogue and SQLMesh's state beside it, as they are at one moment."""
        for suffix in ("", _STATE):
            self.server.execute("CREATE SCHEMA {target}", target=target + suffix)
            for (table,) in self.server.rows(
                "SELECT tablename FROM pg_tables WHERE schemaname = %s", [source + suffix]
            ):
                names = {"source": source + suffix, "target": target + suffix, "table": table}
                self.server.execute(
                    "CREATE TABLE {target}.{table} (LIKE {source}.{table} INCLUDING ALL)", **names
                )
                self.server.execute(
                    "INSERT INTO {target}.{table} SELECT * FROM {source}.{table}", **names
                )

    def rename(self, source: str, target: str) -> None:
        """Give a catalogue that nobody reads another name."""
        for suffix in ("", _STATE):
            if self.server.value(
                "SELECT 1 FROM pg_namespace WHERE nspname = %s", [source + suffix]
            ):
                self.server.execute(
                    "ALTER SCHEMA {source} RENAME TO {target}",
                    source=source + suffix,
                    target=target + suffix,
                )

    def drop(self, catalogue: str) -> None:
        """Drop a catalogue and SQLMesh's state beside it; the files stay."""
        for suffix in ("", _STATE):
            self.server.execute("DROP SCHEMA IF EXISTS {of} CASCADE", of=catalogue + suffix)

    def data_path(self, catalogue: str) -> str:
        """The folder of the Parquet files."""
        path: str = self.server.value(
            "SELECT value FROM {of}.ducklake_metadata WHERE key = 'data_path'", of=catalogue
        )
        return path

    def files(self, catalogue: str) -> set[str]:
        """The names of the Parquet files that a catalogue names, which are unlike any others."""
        found: set[str] = set()
        for table in ("ducklake_data_file", "ducklake_delete_file"):
            rows = self.server.rows(
                "SELECT reverse(split_part(reverse(path), '/', 1)) FROM {of}.{table}",
                of=catalogue,
                table=table,
            )
            found.update(name for (name,) in rows)
        return found


def state_of(catalogue: str) -> str:
    """The schema of SQLMesh's state beside a catalogue."""
    return catalogue + _STATE
