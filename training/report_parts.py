"""Parts of a page: text, tables, bars and lines, as HTML that needs nothing from elsewhere.

Every text on a plot is HTML, drawn by the reader's browser in a font of its own, so that any script can be read.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, timedelta
from html import escape

COLOURS = ("#2f6db5", "#d9822b", "#3a9d6e", "#b8488c", "#7a64c8", "#8a6d3b", "#c23b3b", "#4aa3b5")
OTHER = "#9aa0a6"
MOST_POINTS = 200  # of a line; longer histories are drawn by the week
SHORT = 14  # characters of a cell that is never broken into lines, such as a day
WIDTH, HEIGHT = 1000, 200  # units of a plot, stretched to the width that there is

STYLE = """
:root { color-scheme: light; }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 1rem; max-width: 68rem; background: #fff; color: #1d2430;
  font: 16px/1.5 system-ui, "Noto Sans", "PingFang SC", "Microsoft YaHei", "Noto Sans CJK SC", sans-serif; }
h1 { font-size: 1.5rem; line-height: 1.25; margin: .5rem 0; }
h2 { font-size: 1.2rem; margin: 2.2rem 0 .5rem; border-top: 1px solid #dde2ea; padding-top: 1rem; }
h3 { font-size: 1rem; margin: 1.2rem 0 .3rem; }
p { margin: .3rem 0; } .note { color: #5b6573; font-size: .9rem; }
.scroll { overflow-x: auto; margin: .5rem 0; }
table { border-collapse: collapse; font-size: .9rem; }
th, td { text-align: left; padding: .25rem .7rem .25rem 0; border-bottom: 1px solid #e8ecf2; vertical-align: top; }
th { font-weight: 600; color: #46505e; white-space: nowrap; }
td.s { white-space: nowrap; }
td.n, th.n { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
.ok { color: #1b7a48; } .broken { color: #b3261e; font-weight: 600; }
.plots { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 26rem), 1fr)); gap: 1rem 2rem; }
figure { margin: .5rem 0; } figcaption { font-weight: 600; font-size: .95rem; }
svg { display: block; width: 100%; height: 9rem; border-bottom: 1px solid #9aa3af; }
.axis { display: flex; justify-content: space-between; color: #5b6573; font-size: .8rem; }
.legend span { display: inline-block; margin-right: 1rem; font-size: .85rem; }
.legend i { display: inline-block; width: .8rem; height: .8rem; border-radius: .2rem; margin-right: .35rem;
  vertical-align: -.05rem; }
.bars { display: grid; grid-template-columns: fit-content(45%) 1fr max-content; gap: .2rem .6rem;
  font-size: .9rem; align-items: center; max-width: 46rem; }
.bars b { display: block; height: .9rem; background: #2f6db5; border-radius: 0 .2rem .2rem 0; min-width: 1px; }
.bars span { overflow-wrap: anywhere; } .bars em { font-style: normal; font-variant-numeric: tabular-nums; }
"""


def page(title: str, body: Iterable[str]) -> str:
    """A whole page."""
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{STYLE}</style></head><body>\n" + "\n".join(body) + "\n</body></html>\n"
    )


def paragraph(text: str, kind: str = "") -> str:
    return f'<p class="{kind}">{escape(text)}</p>' if kind else f"<p>{escape(text)}</p>"


def heading(text: str, level: int = 2) -> str:
    return f"<h{level}>{escape(text)}</h{level}>"


def number(value: float | None) -> str:
    """A figure as people read it.

    >>> number(1234567), number(0.012345), number(12.5), number(None)
    ('1,234,567', '0.01235', '12.5', '')
    """
    if value is None:
        return ""
    if value == int(value) or abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:,.4g}"


def percent(value: float | None) -> str:
    """A share as people read it.

    >>> percent(0.0123), percent(0.00012), percent(1)
    ('1.23 %', '0.012 %', '100 %')
    """
    return "" if value is None else f"{100 * value:.3g} %"


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A table that scrolls by itself where the screen is narrow; figures are aligned to the right."""
    listed = [list(row) for row in rows]
    figures = [
        bool(listed) and all(isinstance(row[place], int | float | None) for row in listed) for place in range(len(head))
    ]
    short = [all(len(str(row[place])) <= SHORT for row in listed) for place in range(len(head))]
    marks = [' class="n"' if figure else ' class="s"' if few else ""
             for figure, few in zip(figures, short, strict=True)]  # fmt: skip
    top = "".join(f"<th{mark}>{escape(name)}</th>" for name, mark in zip(head, marks, strict=True))
    body = "".join(
        "<tr>" + "".join(f"<td{mark}>{_cell(value)}</td>" for value, mark in zip(row, marks, strict=True)) + "</tr>"
        for row in listed
    )
    return f'<div class="scroll"><table><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table></div>'


def _cell(value: object) -> str:
    if isinstance(value, Marked):
        return f'<span class="{value.kind}">{escape(value.text)}</span>'
    return number(value) if isinstance(value, int | float) else escape("" if value is None else str(value))


class Marked:
    """A text in a table that stands out: 'ok' or 'broken'."""

    def __init__(self, text: str, kind: str) -> None:
        self.text, self.kind = text, kind


def bars(rows: Iterable[tuple[str, float]], shown: Mapping[str, str] | None = None) -> str:
    """A bar per row; `shown` are texts to stand beside instead of the figures."""
    listed = list(rows)
    most = max((value for _, value in listed), default=0) or 1
    cells = "".join(
        f'<span>{escape(name)}</span><b style="width:{100 * value / most:.2f}%"></b>'
        f"<em>{escape((shown or {}).get(name, number(value)))}</em>"
        for name, value in listed
    )
    return f'<div class="bars">{cells}</div>'


def lines(title: str, series: Mapping[str, Mapping[date, float]], *, mean: bool = False) -> str:
    """Values by day as one line per series, by the week where there are many days; days without a value are 0.

    `mean` values are averaged over the days of a week that have one, others added up.
    """
    days = [day for points in series.values() for day in points]
    if not days:
        return ""
    first, last = min(days), max(days)
    step = 7 if (last - first).days >= MOST_POINTS else 1
    drawn = _few({name: _points(points, first, last, step, mean) for name, points in series.items()})
    most = max((max(values) for values in drawn.values()), default=0) or 1
    colours = {name: OTHER if name == "other" else COLOURS[place] for place, name in enumerate(drawn)}
    paths = "".join(
        f'<path d="{_path(values, most)}" fill="none" stroke="{colours[name]}" stroke-width="1.8" '
        'vector-effect="non-scaling-stroke" stroke-linejoin="round"/>'
        for name, values in drawn.items()
    )
    legend = "".join(f'<span><i style="background:{colours[name]}"></i>{escape(name)}</span>' for name in drawn)
    unit = ", by week" if step == 7 else ", by day"
    return (
        f"<figure><figcaption>{escape(title + unit)}</figcaption>"
        f'<div class="axis"><span>{number(most)}</span></div>'
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" preserveAspectRatio="none" role="img" aria-label="{escape(title)}">'
        f'<line x1="0" x2="{WIDTH}" y1="{HEIGHT / 2}" y2="{HEIGHT / 2}" stroke="#e3e7ee" '
        f'vector-effect="non-scaling-stroke"/>{paths}</svg>'
        f'<div class="axis"><span>{first}</span><span>{last}</span></div>'
        + (f'<div class="legend">{legend}</div>' if len(drawn) > 1 else "")
        + "</figure>"
    )


def _points(points: Mapping[date, float], first: date, last: date, step: int, mean: bool) -> list[float]:
    """The values of whole steps, counted back from the last day; an incomplete first one is left out."""
    count = ((last - first).days + 1) // step
    values = []
    for place in range(count):
        start = last - timedelta(days=step * (count - place) - 1)
        inside = [points[day] for offset in range(step) if (day := start + timedelta(days=offset)) in points]
        values.append(sum(inside) / (len(inside) or 1) if mean else sum(inside))
    return values


def _few(series: dict[str, list[float]]) -> dict[str, list[float]]:
    """The largest series by their sum, the rest added up as 'other'."""
    ranked = sorted(series, key=lambda name: (-sum(series[name]), name))
    kept = ranked[: len(COLOURS)] if len(ranked) <= len(COLOURS) else ranked[: len(COLOURS) - 1]
    found = {name: series[name] for name in sorted(kept)}  # so that a channel has one colour in every plot
    rest = [series[name] for name in ranked if name not in found]
    if rest:
        found["other"] = [sum(values) for values in zip(*rest, strict=True)]
    return found


def _path(values: Sequence[float], most: float) -> str:
    width = WIDTH / max(len(values) - 1, 1)
    points = [f"{place * width:.1f} {HEIGHT - 4 - (HEIGHT - 8) * max(value, 0) / most:.1f}"
              for place, value in enumerate(values)]  # fmt: skip
    return "M" + "L".join(points if len(points) > 1 else [*points, f"{WIDTH} {points[0].split()[1]}"])
