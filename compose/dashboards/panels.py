"""What our panels have in common."""

from typing import NamedTuple

from grafana_foundation_sdk.builders import common, dashboard, prometheus, stat, timeseries
from grafana_foundation_sdk.models import common as common_models
from grafana_foundation_sdk.models import dashboard as models

SOURCE = models.DataSourceRef(type_val="prometheus", uid="prometheus")
VOTE_ROUTES = 'route=~"/api/v1/vote|/(fr|en)/vote"'  # by the API, and by the pages
COLUMNS = 24
GRAPH_HEIGHT, NUMBER_HEIGHT = 8, 4


class Query(NamedTuple):
    """A PromQL expression, and how its series are called."""

    expression: str
    legend: str = ""


def quantile(share: float, histogram: str, by: str = "", where: str = "") -> str:
    """Return the expression of a quantile of a histogram; `where` are matchers of labels."""
    labels = f"le, {by}" if by else "le"
    buckets = f"{histogram}_bucket" + (f"{{{where}}}" if where else "")
    rates = f"sum by ({labels}) (rate({buckets}[$__rate_interval]))"
    return f"histogram_quantile({share}, {rates})"


def rate(counter: str, by: str = "") -> str:
    """Return the expression of a counter's rate a second, over all instances."""
    return f"sum{f' by ({by})' if by else ''} (rate({counter}[$__rate_interval]))"


def newest(gauge: str, by: str = "") -> str:
    """Return the expression of a gauge that every instance exports of the same thing."""
    return f"max{f' by ({by})' if by else ''} ({gauge})"


def board(uid: str, title: str, description: str) -> dashboard.Dashboard:
    """Return an empty dashboard."""
    return (
        dashboard.Dashboard(title)
        .uid(uid)
        .description(description)
        .tags(["scrutin"])
        .readonly()
        .refresh("10s")
        .time("now-1h", "now")
        .timezone("browser")
        .tooltip(models.DashboardCursorSync.CROSSHAIR)
    )


def graph(
    title: str, unit: str, *queries: Query, about: str = "", span: int = 12, stacked: bool = False
) -> timeseries.Panel:
    """Return lines over time."""
    panel = (
        timeseries.Panel()
        .title(title)
        .description(about)
        .datasource(SOURCE)
        .unit(unit)
        .min(0)
        .line_width(1)
        .fill_opacity(10)
        .show_points(common_models.VisibilityMode.NEVER)
        .legend(
            common.VizLegendOptions()
            .display_mode(common_models.LegendDisplayMode.LIST)
            .placement(common_models.LegendPlacement.BOTTOM)
            .show_legend(True)
        )
        .tooltip(common.VizTooltipOptions().mode(common_models.TooltipDisplayMode.MULTI))
        .height(GRAPH_HEIGHT)
        .span(span)
    )
    if stacked:
        panel.stacking(common.StackingConfig().mode(common_models.StackingMode.NORMAL))
    for target in _targets(queries):
        panel.with_target(target.range())
    return panel


def number(
    title: str, unit: str, query: Query, *, about: str = "", alarm: tuple[float, str] | None = None
) -> stat.Panel:
    """Return one number; `alarm` is the value from which on it has that colour."""
    steps = [models.Threshold(value=None, color="text")]
    if alarm:
        steps.append(models.Threshold(value=alarm[0], color=alarm[1]))
    panel = (
        stat.Panel()
        .title(title)
        .description(about)
        .datasource(SOURCE)
        .unit(unit)
        .graph_mode(common_models.BigValueGraphMode.NONE)
        .color_mode(common_models.BigValueColorMode.VALUE)
        .reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]))
        .thresholds(dashboard.ThresholdsConfig().mode(models.ThresholdsMode.ABSOLUTE).steps(steps))
        .height(NUMBER_HEIGHT)
        .span(4)
    )
    for target in _targets((query,)):
        panel.with_target(target.instant())
    return panel


def _targets(queries: tuple[Query, ...]) -> list[prometheus.Dataquery]:
    return [
        prometheus.Dataquery()
        .expr(query.expression)
        .legend_format(query.legend or "__auto")
        .ref_id(chr(ord("A") + place))
        for place, query in enumerate(queries)
    ]
