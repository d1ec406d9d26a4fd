"""The scripts of the report: Vega-Lite, which draws charts, and data as plain scripts."""

import json
import threading
from contextlib import suppress
from importlib.metadata import version
from typing import Any

from data_platform.files import replace_text, user_cache

_PACKAGE = "vl-convert-python"
# A run begins to make it in a thread of its own.
_MAKING = threading.Lock()


def vega_script() -> str:
    """A plain script that sets `window.vegaEmbed`; making it takes two seconds, once a user."""
    with _MAKING:
        return _vega_script()


def _vega_script() -> str:
    kept = user_cache() / f"vega-{version(_PACKAGE)}.js"
    if kept.is_file():
        return kept.read_text(encoding="utf-8")
    from vl_convert import javascript_bundle

    bundle: str = javascript_bundle()  # type: ignore[call-arg]
    # It sets names of the window's, and declares its own where no other script reaches them.
    text = f"(function () {{\n{bundle}\n}})();\n"
    with suppress(OSError):  # whoever cannot keep it makes it again
        replace_text(kept, text)
    return text


def safe_json(text: str) -> str:
    """JSON that ends no script, and starts no line, whatever its texts hold."""
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text


def assigned(name: str, value: Any, key: str | None = None) -> str:
    """A script that assigns a value to a property of `window.report`."""
    said = safe_json(json.dumps(value, ensure_ascii=False, separators=(",", ":")))
    made = f"(window.report = window.report || {{}}).{name}"
    if key is None:
        return f"{made} = {said};\n"
    return f"({made} = window.report.{name} || {{}})[{json.dumps(key)}] = {said};\n"


def assigned_value(script: str, name: str, key: str | None = None) -> Any:
    """The value that a script of `assigned` assigns."""
    begins = assigned(name, 0, key).removesuffix("0;\n")
    return json.loads(script.removeprefix(begins).removesuffix(";\n"))
