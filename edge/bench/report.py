"""One HTML file that shows all outcomes, with nothing to fetch from elsewhere."""

import io
from pathlib import Path

import matplotlib as mpl
from jinja2 import Environment, PackageLoader
from markupsafe import Markup
from matplotlib.figure import Figure as Canvas

from edge.bench.outcome import Figure, Outcome, Plot, Results

CHANGE_SHOWN = 0.05  # less is the machine's mood


def render(results: Results, before: Results | None) -> str:
    """Return the report, compared with earlier results where they hold the same figure."""
    environment = Environment(
        loader=PackageLoader("edge.bench", "."), autoescape=True, trim_blocks=True
    )
    template = environment.get_template("report.html")
    return template.render(
        results=results,
        before=before,
        draw=draw,
        change=lambda outcome, figure: change(outcome, figure, before),
        number=number,
    )


def write(file: Path, results: Results, before: Results | None) -> None:
    """Write the report to a file."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(render(results, before))


def change(outcome: Outcome, figure: Figure, before: Results | None) -> str:
    """Say how a figure differs from the earlier one: '', or such as '+12%, better'."""
    earlier = before.outcome(outcome.benchmark) if before is not None else None
    if earlier is None or earlier.size != outcome.size:
        return ""
    for old in earlier.figures:
        if old.name == figure.name:
            more = figure.value - old.value
            if abs(more) <= CHANGE_SHOWN * abs(old.value):
                return "as before"
            by = f"{more / old.value:+.0%}" if old.value else f"{number(more)} more"
            better = (more > 0) == (figure.better == "higher")
            return f"{by}, {'better' if better else 'worse'}"
    return ""


def number(value: float) -> str:
    """Write a value with as many digits as it deserves."""
    if value and abs(value) < 10:
        return f"{value:.3g}"
    return f"{value:,.1f}" if abs(value) < 100 else f"{value:,.0f}"


def draw(plot: Plot) -> Markup:
    """Return a plot as SVG."""
    with mpl.rc_context({"svg.hashsalt": plot.title, "font.size": 10}):
        canvas = Canvas(figsize=(6.4, 3.4), layout="constrained")
        axes = canvas.subplots()
        for series in plot.series:
            xs, ys = zip(*series.points, strict=True)
            axes.plot(xs, ys, marker="o" if len(xs) < 16 else None, label=series.name)
        axes.set(title=plot.title, xlabel=plot.x, ylabel=plot.y)
        if plot.logarithmic:
            axes.set_xscale("log")
        axes.set_ylim(bottom=0)
        axes.grid(visible=True, alpha=0.3)
        if len(plot.series) > 1:
            axes.legend()
        image = io.StringIO()
        canvas.savefig(image, format="svg", metadata={"Date": None})
    text = image.getvalue()
    return Markup(text[text.index("<svg") :])  # noqa: S704 - drawn here, its texts escaped
