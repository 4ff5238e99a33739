"""Election day: how voting goes."""

from grafana_foundation_sdk.builders.dashboard import Dashboard, Row

from compose.dashboards.panels import (
    VOTE_ROUTES,
    Query,
    board,
    graph,
    newest,
    number,
    quantile,
    rate,
)

REQUESTS = "api_request_duration_seconds_count"
ANSWERED = rate(f"{REQUESTS}{{{VOTE_ROUTES}}}")
ANSWERED_5XX = rate(f'{REQUESTS}{{{VOTE_ROUTES}, status=~"5.."}}')
DECIDED = rate("votes_validated_total")
INVALID = rate('votes_validated_total{status="invalid"}')
COUNTED, ELECTORS = newest("ballots_counted", "law_id"), newest("roll_electors", "law_id")


def build() -> Dashboard:
    """Return the dashboard."""
    return (
        board(
            "scrutin-election-day", "Election day", "Votes, answers, times and turnout of all edges"
        )
        .with_row(Row("Now"))
        .with_panel(number("Votes a second", "short", Query("sum(votes_per_second)")))
        .with_panel(
            number(
                "Slowest of a hundred",
                "s",
                Query(quantile(0.99, "validation_latency_seconds")),
                about="From the hash to the roll's decision, confirmed on disks.",
                alarm=(0.5, "red"),
            )
        )
        .with_panel(
            number(
                "Turnout",
                "percentunit",
                Query(f"sum({COUNTED}) / sum({ELECTORS})"),
                about="Ballots in the published count, of the electors on the roll, all laws.",
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
                "Votes answered 5xx",
                "percentunit",
                Query(f"{ANSWERED_5XX} / {ANSWERED}"),
                alarm=(0.01, "red"),
            )
        )
        .with_panel(
            number(
                "Until the last law closes",
                "dtdurations",
                Query("max(law_closes_timestamp_seconds) - time()"),
            )
        )
        .with_row(Row("Votes"))
        .with_panel(
            graph(
                "Decisions a second",
                "short",
                Query(rate("votes_validated_total", "status"), "{{status}}"),
                about="accepted, duplicate, invalid (not on the roll), closed, conflict (a request "
                "id used again with another choice)",
                stacked=True,
            )
        )
        .with_panel(
            graph(
                "Answers a second",
                "short",
                Query(
                    rate(f"{REQUESTS}{{{VOTE_ROUTES}}}", "status"),
                    "{{status}}",
                ),
                about="By HTTP status. 503 and 429 are sent again by pages under the same id.",
                stacked=True,
            )
        )
        .with_panel(
            graph(
                "Time to a decision",
                "s",
                Query(quantile(0.5, "validation_latency_seconds"), "half are faster"),
                Query(quantile(0.95, "validation_latency_seconds"), "95 %"),
                Query(quantile(0.99, "validation_latency_seconds"), "99 %"),
            )
        )
        .with_panel(
            graph(
                "Share of duplicates and of votes not on the roll",
                "percentunit",
                Query(f"{rate('duplicate_attempts_total')} / {DECIDED}", "duplicate"),
                Query(f"{INVALID} / {DECIDED}", "invalid"),
            )
        )
        .with_row(Row("Turnout"))
        .with_panel(
            graph("Turnout by law", "percentunit", Query(f"{COUNTED} / {ELECTORS}", "{{law_id}}"))
        )
        .with_panel(
            graph(
                "Count by law",
                "short",
                Query(newest("votes_by_law", "law_id, choice"), "{{law_id}} {{choice}}"),
                about="Only where the election publishes live results; empty otherwise.",
            )
        )
    )
