# Jump's data platform. Each recipe builds .venv by itself when requirements.lock has changed.
# Options of data-platform itself (--as-of, --scale, …) are environment variables here:
# DATA_PLATFORM_AS_OF=2026-10-31 DATA_PLATFORM_SCALE=2 just run

# The program says in a line of its own what is wrong.
set no-exit-message

python := env("PYTHON", "python3")
bin := ".venv/bin"

# List the recipes
[private]
default:
    @just --list --unsorted

# The whole pipeline: extract, load, transform, export
run *options: setup
    @{{ bin }}/data-platform run {{ options }}

# Extract the applications into Parquet files and a manifest
extract *options: setup
    @{{ bin }}/data-platform extract {{ options }}

# Check the extracts against the contract and load them
load *options: setup
    @{{ bin }}/data-platform load {{ options }}

# Bring production's models up to date with the last load
transform *options: setup
    @{{ bin }}/data-platform transform {{ options }}

# Write the exports: CSV, Parquet or XLSX files for their readers
export *options: setup
    @{{ bin }}/data-platform export {{ options }}

# Replay days one after the other: just backfill --from 2026-10-01 --to 2026-10-31
backfill *options: setup
    @{{ bin }}/data-platform backfill {{ options }}

# Read the lakehouse: a table of the SQL's rows, or without SQL the DuckDB shell
query sql="" *options: setup
    @{{ bin }}/data-platform query {{ options }} {{ if sql == "" { "" } else { quote(sql) } }}

# Show what the working tree changes, and build it in an environment beside production
plan env="dev" *options: setup
    @{{ bin }}/data-platform plan {{ options }} {{ env }}

# Compare the data of an environment with production's: rows, values, totals of money
diff env="dev" *options: setup
    @{{ bin }}/data-platform diff {{ options }} {{ env }}

# Make a reviewed environment production, computing nothing again, and renew the exports
promote env="dev" *options: setup
    @{{ bin }}/data-platform promote {{ options }} {{ env }}

# Take production's code back to before its last change, with the data of the last load
rollback *options: setup
    @{{ bin }}/data-platform rollback {{ options }}

# Tell in Markdown what the working tree changes against a base branch, built at a small scale
review base="main" *options: setup
    @{{ bin }}/data-platform review {{ options }} {{ base }}

# Browse models and their lineage in SQLMesh's UI, on a snapshot of the lakehouse
ui *options: setup
    @{{ bin }}/data-platform ui {{ options }}

# Show what a model or a column is made of, and what is made of it
lineage name *options: setup
    @{{ bin }}/data-platform lineage {{ options }} {{ quote(name) }}

# Tell what is published, what the last runs did and what somebody should look at
status *options: setup
    @{{ bin }}/data-platform status {{ options }}

# All tests but the slow ones: the models' unit tests and the program's
test *options: setup-dev
    @{{ bin }}/sqlmesh test
    @{{ bin }}/pytest -n 2 {{ options }}

# The unit tests of some models: just test-models models/marts/kpi__nps.sql
test-models *files: setup
    #!/usr/bin/env sh
    set -eu
    # Without a lakehouse: nobody's lock is in the way.
    export SQLMESH__DEFAULT_GATEWAY=editor
    wanted=""
    for file in {{ files }}; do
      case "$file" in
        models/*.sql) test="tests/$(dirname "${file#models/}")/test_$(basename "$file" .sql).yaml" ;;
        tests/*.yaml) test="$file" ;;
        macros/*) exec {{ bin }}/sqlmesh test ;; # which any model may use
        *) continue ;;
      esac
      if [ -f "$test" ]; then wanted="$wanted $test"; fi
    done
    if [ -n "$wanted" ]; then {{ bin }}/sqlmesh test $wanted; fi

# The tests that take long and break rarely: 200 kills, a soak of 30 days, a replay of three months
test-slow *options: setup-dev
    @{{ bin }}/pytest -n 2 -m slow {{ options }}

# Measure a day against a full build, and a run against its bare steps: just bench --scale 670
bench *options: setup
    @{{ bin }}/python benchmarks/daily.py {{ options }}
    @{{ bin }}/python benchmarks/transaction.py {{ options }}

# Measure a change beside dbt-duckdb, in a virtual environment of its own: just bench-change --scale 670
bench-change *options: setup
    #!/usr/bin/env sh
    set -eu
    if [ ! -x .cache/dbt/bin/dbt ]; then
      {{ python }} -m venv .cache/dbt
      .cache/dbt/bin/pip --disable-pip-version-check --quiet install -r benchmarks/dbt-requirements.txt
    fi
    {{ bin }}/python benchmarks/change.py {{ options }}

# Check style and types, the models' format and the linter's rules, and the generated docs
lint: setup-dev
    @{{ bin }}/ruff check .
    @{{ bin }}/ruff format --check .
    @{{ bin }}/mypy
    @{{ bin }}/sqlmesh format --check
    @{{ bin }}/sqlmesh lint
    @{{ bin }}/cog --check README.md README.fr.md docs/*.md

# Rewrite Python and SQL in the project's style
format: setup-dev
    @{{ bin }}/ruff check --fix --quiet .
    @{{ bin }}/ruff format .
    @{{ bin }}/sqlmesh format

# Write the generated parts of the documentation anew
docs: setup-dev
    @{{ bin }}/cog -r README.md README.fr.md docs/*.md

# Play the guided tour in a fresh clone, and write what its commands say into docs/tour.md
tour: setup-dev
    @{{ bin }}/python tests/tour.py

# Remove everything that was generated: data, caches and logs
clean:
    rm -rf data logs .cache

# Pin the newest allowed versions of all dependencies in requirements.lock and requirements-dev.lock
lock:
    uv pip compile --quiet --universal --generate-hashes --python-version 3.11 --no-emit-index-url \
        --custom-compile-command "just lock" pyproject.toml --group build -o requirements.lock
    uv pip compile --quiet --universal --generate-hashes --python-version 3.11 --no-emit-index-url \
        --custom-compile-command "just lock" pyproject.toml --group dev -c requirements.lock -o requirements-dev.lock

# Look up known vulnerabilities of the pinned dependencies (needs PyPI's advisory service)
vulnerabilities: setup-dev
    @{{ bin }}/pip-audit --strict --require-hashes --disable-pip --progress-spinner off -r requirements-dev.lock

# Build .venv from requirements.lock; nothing to do when it is up to date
setup:
    #!/usr/bin/env sh
    set -eu
    stamp=.venv/built-from
    wanted=$(cksum < requirements.lock)
    if [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$wanted" ]; then exit 0; fi
    echo "Building .venv from requirements.lock, once"
    rm -rf .venv
    {{ python }} -m venv .venv
    pip="{{ bin }}/pip --disable-pip-version-check --quiet"
    $pip install --require-hashes -r requirements.lock
    $pip install --no-deps --no-build-isolation -e .
    echo "$wanted" > "$stamp"

# Add to .venv what tests and checks need, from requirements-dev.lock
setup-dev: setup
    #!/usr/bin/env sh
    set -eu
    stamp=.venv/built-from-dev
    wanted=$(cksum < requirements-dev.lock)
    if [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$wanted" ]; then exit 0; fi
    echo "Adding what tests and checks need, once"
    {{ bin }}/pip --disable-pip-version-check --quiet install --require-hashes -r requirements-dev.lock
    echo "$wanted" > "$stamp"
