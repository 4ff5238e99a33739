"""Pipeline: how decided votes reach ClickHouse and the published count."""

from grafana_foundation_sdk.builders.dashboard import Dashboard, Row

from compose.dashboards.panels import Query, board, graph, newest, number, quantile, rate

DEPTH = newest("outbox_depth", "shard_group")


def build() -> Dashboard:
    """Return the dashboard."""
    return (
        board("scrutin-pipeline", "Pipeline", "From the outbox in Redis to the count in ClickHouse")
        .with_row(Row("Now"))
        .with_panel(number("Attempts in the outbox", "short", Query(f"sum({DEPTH})")))
        .with_panel(
            number(
                "Oldest of them",
                "s",
                Query("max(outbox_oldest_age_seconds)"),
                alarm=(60, "red"),
            )
        )
        .with_panel(
            number(
                "Age of the count",
                "s",
                Query("time() - max(results_updated_timestamp_seconds)"),
                alarm=(60, "red"),
            )
        )
        .with_panel(
            number(
                "Count lags by",
                "s",
                Query("time() - max(results_complete_until_timestamp_seconds)"),
                about="Every vote accepted longer ago than this is in the count.",
            )
        )
        .with_panel(number("Drainers at work", "short", Query("sum(drainer_running)")))
        .with_panel(
            number(
                "Drainers that reach ClickHouse",
                "short",
                Query("count(clickhouse_up == 1) or vector(0)"),
            )
        )
        .with_row(Row("Outbox"))
        .with_panel(
            graph(
                "Attempts in the outbox",
                "short",
                Query(DEPTH, "shards {{shard_group}}…"),
                about="By the first hex digit of the shard. One that stays is a primary that is "
                "away.",
                stacked=True,
            )
        )
        .with_panel(graph("Oldest attempt", "s", Query("max(outbox_oldest_age_seconds)", "age")))
        .with_row(Row("ClickHouse"))
        .with_panel(
            graph(
                "In and out",
                "short",
                Query(
                    rate('votes_validated_total{status=~"accepted|duplicate|invalid"}'), "decided"
                ),
                Query(rate("clickhouse_insert_rows_total"), "inserted"),
                about="Attempts a second. A retried request is decided twice and inserted once.",
            )
        )
        .with_panel(
            graph(
                "Time of an insert",
                "s",
                Query(quantile(0.5, "clickhouse_insert_seconds"), "half are faster"),
                Query(quantile(0.99, "clickhouse_insert_seconds"), "99 %"),
            )
        )
        .with_panel(
            graph(
                "Rows an insert",
                "short",
                Query(
                    f"{rate('clickhouse_insert_rows_total')}"
                    f" / {rate('clickhouse_insert_seconds_count')}",
                    "rows",
                ),
            )
        )
        .with_panel(
            graph(
                "ClickHouse as drainers see it",
                "short",
                Query("clickhouse_up", "{{instance}} reaches it"),
                Query("drainer_running", "{{instance}} drains"),
            )
        )
    )
