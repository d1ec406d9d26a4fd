"""The lineage of one model at depth 1, drawn as SVG: what it reads, itself, what reads it."""

from collections.abc import Mapping, Sequence

from markupsafe import Markup, escape

_WIDTH, _HEIGHT, _GAP, _ACROSS = 290, 28, 10, 60
_LONGEST = 38


def drawn(
    here: str, reads: Sequence[str], read_by: Sequence[str], urls: Mapping[str, str]
) -> Markup:
    """The drawing; each model is a link."""
    rows = max(len(reads), len(read_by), 1)
    height = rows * (_HEIGHT + _GAP) + _GAP
    width = 3 * _WIDTH + 2 * _ACROSS
    middle = height / 2
    parts: list[str] = []
    columns = ((reads, 0), ([here], _WIDTH + _ACROSS), (read_by, 2 * (_WIDTH + _ACROSS)))
    for names, x in columns:
        top = middle - (len(names) * (_HEIGHT + _GAP) - _GAP) / 2
        for number, name in enumerate(names):
            y = top + number * (_HEIGHT + _GAP)
            if name != here:
                start, end = (x + _WIDTH, _WIDTH + _ACROSS) if x == 0 else (2 * _WIDTH + _ACROSS, x)
                ys = (y + _HEIGHT / 2, middle) if x == 0 else (middle, y + _HEIGHT / 2)
                bend = (start + end) / 2
                parts.append(
                    f'<path d="M{start} {ys[0]:g} C{bend:g} {ys[0]:g} {bend:g} {ys[1]:g} {end} '
                    f'{ys[1]:g}"/>'
                )
            shown = name if len(name) <= _LONGEST else f"{name[: _LONGEST - 1]}…"
            box = (
                f'<rect x="{x + 1}" y="{y:g}" width="{_WIDTH - 2}" height="{_HEIGHT}" rx="4"/>'
                f'<text x="{x + 10}" y="{y + 19:g}">{escape(shown)}</text>'
            )
            tip = f"<title>{escape(name)}</title>"
            parts.append(
                f'<g class="here">{tip}{box}</g>'
                if name == here
                else f'<a href="{escape(urls[name])}">{tip}{box}</a>'
            )
    return Markup(
        f'<svg class="lineage" xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height:g}" '
        f'width="{width}" height="{height:g}" role="group" aria-label="{escape(here)}">'
        f"{''.join(parts)}</svg>"
    )
