# Jump's data platform. Each recipe builds .venv by itself when requirements.lock has changed.
# What follows a recipe's name goes to the command behind it, word for word: a recipe hands its arguments on
# as "$@", never as text that a shell reads again.

# The program says in a line of its own what is wrong.
set no-exit-message
set positional-arguments

python := env("PYTHON", "python3")
bin := ".venv/bin"

# What is installed is compiled at once, as pip does: whoever has Python write no bytecode
# (PYTHONDONTWRITEBYTECODE, as in many containers) would compile SQLMesh again with each command.
export UV_COMPILE_BYTECODE := "1"

# List the recipes
[private]
default:
    @just --list --unsorted

# The whole pipeline: extract, load, transform, export
[group('pipeline')]
run *options: setup
    @{{ bin }}/data-platform run "$@"

# Extract the applications into Parquet files and a manifest
[group('pipeline')]
extract *options: setup
    @{{ bin }}/data-platform extract "$@"

# Check the extracts against the contract and load them
[group('pipeline')]
load *options: setup
    @{{ bin }}/data-platform load "$@"

# Bring production's models up to date with the last load
[group('pipeline')]
transform *options: setup
    @{{ bin }}/data-platform transform "$@"

# Write the exports: CSV, Parquet or XLSX files for their readers
[group('pipeline')]
export *options: setup
    @{{ bin }}/data-platform export "$@"

# Replay days one after the other: just backfill --from 2026-10-01 --to 2026-10-31
[group('pipeline')]
backfill *options: setup
    @{{ bin }}/data-platform backfill "$@"

# Read the lakehouse: a table of the SQL's rows, or without SQL the DuckDB shell
[group('reading')]
query *sql: setup
    @{{ bin }}/data-platform query "$@"

# List what can be read: tables and views, a line each
[group('reading')]
tables *options: setup
    @{{ bin }}/data-platform tables "$@"

# Tell what is published, what the last runs did and what somebody should look at
[group('reading')]
status *options: setup
    @{{ bin }}/data-platform status "$@"

# Render the report alone and open it: pages for people who open no terminal
[group('reading')]
report *options: setup
    @{{ bin }}/data-platform report --open "$@"

# List the applications: where their data comes from, and how old it may be
[group('reading')]
sources *options: setup
    @{{ bin }}/data-platform sources "$@"

# Draft a new table of an application: just source add expenses.receipts --from EXPENSES_URL
[group('changing models')]
source *words: setup
    @{{ bin }}/data-platform source "$@"

# Show what a model or a column is made of, and what is made of it
[group('reading')]
lineage name *options: setup
    @{{ bin }}/data-platform lineage "$@"

# Browse models and their lineage in SQLMesh's UI, on a snapshot of the lakehouse
[group('reading')]
ui *options: setup
    @{{ bin }}/data-platform ui "$@"

# Show what the working tree changes, and build it in an environment beside production
[group('changing models')]
plan env="dev" *options: setup
    @{{ bin }}/data-platform plan "$@"

# Compare the data of an environment with production's: rows, values, totals of money
[group('changing models')]
diff env="dev" *options: setup
    @{{ bin }}/data-platform diff "$@"

# Make a reviewed environment production, computing nothing again, and renew the exports
[group('changing models')]
promote env="dev" *options: setup
    @{{ bin }}/data-platform promote "$@"

# Take production's code back to before its last change, with the data of the last load
[group('changing models')]
rollback *options: setup
    @{{ bin }}/data-platform rollback "$@"

# Tell in Markdown what the working tree changes against a base branch, built at a small scale
[group('changing models')]
review base="main" *options: setup
    @{{ bin }}/data-platform review "$@"

# All tests but the slow ones: the models' unit tests and the program's
[group('checks')]
test *options: setup-dev
    @{{ bin }}/sqlmesh test
    @{{ bin }}/pytest -n 2 --dist worksteal "$@"

# The unit tests of some models: just test-models models/marts/kpi__nps.sql
[group('checks')]
test-models *files: setup
    #!/usr/bin/env sh
    set -eu
    # Without a lakehouse: nobody's lock is in the way.
    export SQLMESH__DEFAULT_GATEWAY=editor
    tests=0
    for file in "$@"; do
      shift
      if [ ! -e "$file" ]; then echo "Error: $file does not exist" >&2; exit 2; fi
      case "$file" in
        models/*.sql) test="tests/$(dirname "${file#models/}")/test_$(basename "$file" .sql).yaml" ;;
        tests/*.yaml) test="$file" ;;
        macros/*) exec {{ bin }}/sqlmesh test ;; # which any model may use
        *) continue ;;
      esac
      if [ -f "$test" ]; then set -- "$@" "$test"; tests=$((tests + 1)); else echo "$file has no unit test of its own"; fi
    done
    if [ "$tests" -gt 0 ]; then {{ bin }}/sqlmesh test "$@"; fi

# The tests that take long and break rarely: a hundred kills, a soak of 30 days, a replay of three months
[group('checks')]
test-slow *options: setup-dev
    @{{ bin }}/pytest -n 2 -m slow "$@"

# Check style, types and which room imports which, the models' format and the linter's rules, and the generated docs
[group('checks')]
lint: setup-dev
    @{{ bin }}/ruff check .
    @{{ bin }}/ruff format --check .
    @{{ bin }}/mypy
    @{{ bin }}/lint-imports
    @{{ bin }}/sqlmesh format --check
    @{{ bin }}/sqlmesh lint
    @{{ bin }}/cog --check README.md README.fr.md docs/*.md

# Rewrite Python and SQL in the project's style
[group('checks')]
format: setup-dev
    @{{ bin }}/ruff check --fix --quiet .
    @{{ bin }}/ruff format .
    @{{ bin }}/sqlmesh format

# Write the generated parts of the documentation anew
[group('checks')]
docs: setup-dev
    @{{ bin }}/cog -r README.md README.fr.md docs/*.md

# Play the guided tour in a fresh clone, and write what its commands say into docs/tour.md
[group('checks')]
tour: setup-dev
    @{{ bin }}/python tests/tour.py

# Measure the platform beside dbt-duckdb, DuckDB alone and TPC-H's generator: just bench --quick
[group('checks')]
bench *options: setup _contestants
    @{{ bin }}/python benchmarks/suite.py "$@"

# Write where a command's time goes, a flame graph and DuckDB's profiles: just profile transform
[group('checks')]
profile *words: setup _contestants
    @{{ bin }}/python benchmarks/profiling.py "$@"

# What the platform is measured beside, in a virtual environment of its own
_contestants: setup
    #!/usr/bin/env sh
    set -eu
    stamp=.cache/bench/built-from
    wanted=$(cksum < benchmarks/requirements.lock)
    if [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$wanted" ]; then exit 0; fi
    rm -rf .cache/bench
    {{ python }} -m venv .cache/bench
    index=$({{ bin }}/pip --disable-pip-version-check config get global.index-url 2>/dev/null || true)
    if [ -n "${PIP_INDEX_URL:-$index}" ]; then export UV_DEFAULT_INDEX="${UV_DEFAULT_INDEX:-${PIP_INDEX_URL:-$index}}"; fi
    {{ bin }}/uv pip install --quiet --python .cache/bench/bin/python --require-hashes -r benchmarks/requirements.lock
    echo "$wanted" > "$stamp"

# Measure reading a database beside psql, connectorx and dlt, in an environment apart: just bench-sources --scale 670
[group('checks')]
bench-sources *options: setup-dev
    #!/usr/bin/env sh
    set -eu
    if [ ! -x .cache/readers/bin/dlt ]; then
      {{ python }} -m venv .cache/readers
      .cache/readers/bin/pip --disable-pip-version-check --quiet install -r benchmarks/readers-requirements.txt
    fi
    {{ bin }}/python benchmarks/sources.py "$@"

# Recount every audit of production over all of time, as runs do by themselves once a week
[group('upkeep')]
audit *options: setup
    @{{ bin }}/data-platform audit "$@"

# Read the whole lakehouse, and compare it with what its catalogue and statistics say
[group('upkeep')]
check *options: setup
    @{{ bin }}/data-platform check "$@"

# Move the lakehouse to another gateway, every row compared: just move --to team (docs/scaling.md)
[group('upkeep')]
move *options: setup
    @{{ bin }}/data-platform move "$@"

# Remove everything that was generated: data, caches and logs; says what, and asks
[group('upkeep')]
clean *options: setup
    @{{ bin }}/data-platform clean "$@"

# Pin the newest allowed versions of all dependencies in the requirements*.lock, and of what the bench measures
[group('upkeep')]
lock: setup
    #!/usr/bin/env sh
    set -eu
    pin() {
      {{ bin }}/uv pip compile --quiet --universal --generate-hashes --python-version 3.11 --no-emit-index-url \
        --custom-compile-command "just lock" "$@"
    }
    pin --group setup -o requirements-setup.lock
    pin pyproject.toml --group build -o requirements.lock
    pin pyproject.toml --group dev -c requirements.lock -o requirements-dev.lock
    pin pyproject.toml --extra team -c requirements-dev.lock -o requirements-team.lock
    pin pyproject.toml --extra spark -c requirements-dev.lock -o requirements-spark.lock
    pin benchmarks/requirements.in -o benchmarks/requirements.lock

# Look up known vulnerabilities of the pinned dependencies (needs PyPI's advisory service)
[group('upkeep')]
vulnerabilities: setup-dev
    @{{ bin }}/pip-audit --strict --require-hashes --disable-pip --progress-spinner off -r requirements-dev.lock

# Build .venv from requirements.lock; nothing to do when it is up to date
[group('upkeep')]
setup:
    #!/usr/bin/env sh
    set -eu
    stamp=.venv/built-from
    wanted="$(cat requirements-setup.lock requirements.lock | cksum) compiled"
    if [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$wanted" ]; then exit 0; fi
    echo "Building .venv from requirements.lock, once: 1 of 3, the installer uv"
    rm -rf .venv
    {{ python }} -m venv .venv
    {{ bin }}/pip --disable-pip-version-check --quiet install --require-hashes -r requirements-setup.lock
    # Where pip finds its packages, uv does too.
    index=$({{ bin }}/pip --disable-pip-version-check config get global.index-url 2>/dev/null || true)
    if [ -n "${PIP_INDEX_URL:-$index}" ]; then export UV_DEFAULT_INDEX="${UV_DEFAULT_INDEX:-${PIP_INDEX_URL:-$index}}"; fi
    uv="{{ bin }}/uv pip install --quiet --python {{ bin }}/python"
    echo "2 of 3, the packages"
    $uv --require-hashes -r requirements.lock
    echo "3 of 3, the program itself"
    $uv --no-deps --no-build-isolation -e .
    {{ bin }}/python -m compileall -q -j 0 platform
    echo "$wanted" > "$stamp"

# Add to .venv what gateway `team` needs, from requirements-team.lock (docs/scaling.md)
[group('upkeep')]
setup-team: (_add "requirements-team.lock")

# Add to .venv what gateway `spark` needs but for Java, from requirements-spark.lock (docs/scaling.md)
[group('upkeep')]
setup-spark: (_add "requirements-spark.lock")

# Start or stop a Spark cluster on this machine: a master and two workers, one core each (docs/scaling.md)
[group('upkeep')]
spark-cluster action: setup
    #!/usr/bin/env sh
    set -eu
    umask 077
    SPARK_HOME=$({{ bin }}/python -c 'import pyspark; print(*pyspark.__path__)')
    folder=${SPARK_CLUSTER_DIR:-$PWD/.cache/spark-cluster} port=${SPARK_MASTER_PORT:-7077}
    export SPARK_HOME SPARK_IDENT_STRING=jump SPARK_LOCAL_IP=127.0.0.1
    export SPARK_LOG_DIR="$folder/logs" SPARK_PID_DIR="$folder" SPARK_LOCAL_DIRS="$folder/local"
    daemon() { bash "$SPARK_HOME/sbin/spark-daemon.sh" "$@"; }
    master=org.apache.spark.deploy.master.Master worker=org.apache.spark.deploy.worker.Worker
    case "$1" in
    start)
        mkdir -p "$folder"
        daemon start $master 1 --host 127.0.0.1 --port "$port" --webui-port 0
        for number in 1 2; do
            daemon start $worker $number --host 127.0.0.1 --webui-port 0 --cores 1 --memory 1g \
                --work-dir "$folder/work-$number" "spark://127.0.0.1:$port"
        done
        echo "To compute on it: export DATA_PLATFORM_SPARK_MASTER=spark://127.0.0.1:$port" ;;
    stop)
        for number in 1 2; do daemon stop $worker $number; done
        daemon stop $master 1
        rm -rf "$folder" ;;
    *)
        echo "spark-cluster: expected start or stop, found $1" >&2
        exit 2 ;;
    esac

_add file: setup
    #!/usr/bin/env sh
    set -eu
    index=$({{ bin }}/pip --disable-pip-version-check config get global.index-url 2>/dev/null || true)
    if [ -n "${PIP_INDEX_URL:-$index}" ]; then export UV_DEFAULT_INDEX="${UV_DEFAULT_INDEX:-${PIP_INDEX_URL:-$index}}"; fi
    {{ bin }}/uv pip install --quiet --python {{ bin }}/python --require-hashes -r {{ file }}

# Add to .venv what tests and checks need, from requirements-dev.lock
[group('upkeep')]
setup-dev: setup
    #!/usr/bin/env sh
    set -eu
    stamp=.venv/built-from-dev
    wanted=$(cksum < requirements-dev.lock)
    if [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$wanted" ]; then exit 0; fi
    echo "Adding what tests and checks need, once"
    index=$({{ bin }}/pip --disable-pip-version-check config get global.index-url 2>/dev/null || true)
    if [ -n "${PIP_INDEX_URL:-$index}" ]; then export UV_DEFAULT_INDEX="${UV_DEFAULT_INDEX:-${PIP_INDEX_URL:-$index}}"; fi
    {{ bin }}/uv pip install --quiet --python {{ bin }}/python --require-hashes -r requirements-dev.lock
    echo "$wanted" > "$stamp"
