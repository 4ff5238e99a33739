"""Redis: whether votes can be decided, kept and confirmed."""

from grafana_foundation_sdk.builders.dashboard import Dashboard, Row

from compose.dashboards.panels import Query, board, graph, newest, number, quantile, rate


def build() -> Dashboard:
    """Return the dashboard."""
    return (
        board(
            "scrutin-redis",
            "Redis",
            "The cluster as edges see it. A redis_exporter, where one is deployed, knows more",
        )
        .with_row(Row("Now"))
        .with_panel(number("Nodes up", "short", Query(f"sum({newest('redis_up', 'node')})")))
        .with_panel(
            number(
                "Nodes down",
                "short",
                Query(f"count({newest('redis_up', 'node')}) - sum({newest('redis_up', 'node')})"),
                alarm=(1, "red"),
            )
        )
        .with_panel(
            number(
                "Edges that can write everywhere",
                "short",
                Query('sum(redis_state{state="writable"})'),
            )
        )
        .with_panel(
            number(
                "Fewest replicas of a primary",
                "short",
                Query("min(redis_replicas_online)"),
            )
        )
        .with_panel(number("Replicas needed", "short", Query("max(redis_replicas_needed)")))
        .with_panel(
            number(
                "Slowest confirmation of a hundred",
                "s",
                Query(quantile(0.99, "durability_wait_seconds")),
                alarm=(0.2, "red"),
            )
        )
        .with_row(Row("Nodes"))
        .with_panel(graph("Up", "short", Query(newest("redis_up", "node"), "{{node}}")))
        .with_panel(
            graph(
                "Replicas in step",
                "short",
                Query("min by (node) (redis_replicas_online)", "{{node}}"),
                Query("max(redis_replicas_needed)", "needed"),
            )
        )
        .with_panel(
            graph(
                "Memory of primaries",
                "bytes",
                Query(newest("redis_memory_used_bytes", "node"), "{{node}}"),
                Query(newest("redis_memory_max_bytes", "node"), "{{node}} limit (0: none)"),
            )
        )
        .with_panel(
            graph(
                "Latest write to disk went well",
                "short",
                Query("min by (node) (redis_aof_ok)", "{{node}}"),
            )
        )
        .with_row(Row("Batches"))
        .with_panel(
            graph(
                "Confirmation on disks",
                "s",
                Query(quantile(0.5, "durability_wait_seconds"), "half are faster"),
                Query(quantile(0.99, "durability_wait_seconds"), "99 %"),
            )
        )
        .with_panel(
            graph(
                "Calls a batch",
                "short",
                Query(f"{rate('microbatch_size_sum')} / {rate('microbatch_size_count')}", "mean"),
                Query(quantile(0.99, "microbatch_size"), "99 %"),
            )
        )
    )
