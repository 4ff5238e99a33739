"""Edge: the instances one by one."""

from grafana_foundation_sdk.builders.dashboard import Dashboard, QueryVariable, Row
from grafana_foundation_sdk.models.dashboard import VariableRefresh, VariableSort

from compose.dashboards.panels import (
    SOURCE,
    VOTE_ROUTES,
    Query,
    board,
    graph,
    number,
    quantile,
    rate,
)

CHOSEN = 'job="edge", instance=~"$instance"'
REQUESTS = "api_request_duration_seconds"


def build() -> Dashboard:
    """Return the dashboard."""
    return (
        board("scrutin-edge", "Edge", "Edges one by one: requests, times, and what they use")
        .with_variable(
            QueryVariable("instance")
            .label("Instance")
            .datasource(SOURCE)
            .query('label_values(up{job="edge"}, instance)')
            .refresh(VariableRefresh.ON_TIME_RANGE_CHANGED)
            .sort(VariableSort.ALPHABETICAL_ASC)
            .multi(True)
            .include_all(True)
            .all_value(".+")
        )
        .with_row(Row("Now"))
        .with_panel(number("Edges up", "short", Query(f"sum(up{{{CHOSEN}}})")))
        .with_panel(number("Edges ready", "short", Query(f"sum(edge_ready{{{CHOSEN}}})")))
        .with_panel(number("Votes in flight", "short", Query(f"sum(votes_in_flight{{{CHOSEN}}})")))
        .with_row(Row("Requests"))
        .with_panel(
            graph(
                "Votes received a second",
                "short",
                Query(rate(f"votes_submitted_total{{{CHOSEN}}}", "instance"), "{{instance}}"),
            )
        )
        .with_panel(
            graph(
                "Requests a second by route",
                "short",
                Query(rate(f"{REQUESTS}_count{{{CHOSEN}}}", "route"), "{{route}}"),
            )
        )
        .with_panel(
            graph(
                "Slowest vote of a hundred",
                "s",
                Query(
                    quantile(0.99, REQUESTS, "instance", f"{CHOSEN}, {VOTE_ROUTES}"),
                    "{{instance}}",
                ),
            )
        )
        .with_panel(
            graph(
                "Slowest request of a hundred by route",
                "s",
                Query(quantile(0.99, REQUESTS, "route", CHOSEN), "{{route}}"),
            )
        )
        .with_panel(
            graph(
                "Votes refused or failed a second",
                "short",
                Query(
                    rate(
                        f'{REQUESTS}_count{{{CHOSEN}, {VOTE_ROUTES}, status=~"4..|5.."}}',
                        "status",
                    ),
                    "{{status}}",
                ),
            )
        )
        .with_panel(
            graph(
                "Votes in flight",
                "short",
                Query(f"votes_in_flight{{{CHOSEN}}}", "{{instance}}"),
            )
        )
        .with_row(Row("Process"))
        .with_panel(
            graph(
                "Processors used",
                "short",
                Query(rate(f"process_cpu_seconds_total{{{CHOSEN}}}", "instance"), "{{instance}}"),
                about="One event loop decides votes: much above one there is nothing left to give.",
            )
        )
        .with_panel(
            graph(
                "Memory",
                "bytes",
                Query(f"process_resident_memory_bytes{{{CHOSEN}}}", "{{instance}}"),
            )
        )
        .with_panel(
            graph(
                "Open files",
                "short",
                Query(f"process_open_fds{{{CHOSEN}}}", "{{instance}}"),
                Query(f"process_max_fds{{{CHOSEN}}}", "{{instance}} limit"),
            )
        )
    )
