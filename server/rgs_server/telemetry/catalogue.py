"""Every metric that the service has, with what it means: docs/operations.md, dashboards and alerts are tested against it."""

from __future__ import annotations

from rgs_server.telemetry.instruments import Description

SECONDS = (
    0.001, 0.002, 0.003, 0.005, 0.0075, 0.01, 0.015, 0.02, 0.03, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.5, 0.75, 1.0, 2.5, 5.0, 10.0,
)  # fmt: skip
"""A step of at most 1.7 up to half a second, so that a quantile between two bounds is off by no more; the promised 0.2 s and
0.3 s are bounds themselves."""
SIZES = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0, 1024.0)
GAME = ("game", "build", "mode", "currency")
CELL = ("operator", "game", "build", "mode", "channel", "stakes", "window")

COUNTED = (
    Description(
        "rgs_request_duration_seconds",
        "histogram",
        "From a request to its answer; of plain spins from the end of their body.",
        ("operation", "class"),
        SECONDS,
    ),
    Description("rgs_errors", "counter", "Answers with a problem, by its code.", ("operation", "code")),
    Description("rgs_spins_answered", "counter", "Spins answered with an outcome, new or repeated."),
    Description("rgs_spins_elastic", "counter", "Spins that did not go straight through, by cause.", ("cause",)),
    Description("rgs_rounds", "counter", "Rounds whose stake was taken.", GAME),
    Description("rgs_stakes_minor", "counter", "Turnover in minor units.", GAME),
    Description("rgs_wins_minor", "counter", "Wins in minor units, counted when their round is over.", GAME),
    Description("rgs_commit_duration_seconds", "histogram", "One statement that writes a batch of spins.", (), SECONDS),
    Description("rgs_batch_spins", "histogram", "Spins drawn for one commit.", (), SIZES),
    Description(
        "rgs_database_connects", "counter", "Connections that spin lanes opened; the first of each lane included."
    ),
    Description("rgs_database_retries", "counter", "Commits that were tried again after trouble with the database."),
    Description("rgs_database_failures", "counter", "Other requests that the database did not serve."),
    Description("rgs_wallet_calls", "counter", "Calls of platforms' wallets.", ("operator", "kind", "result")),
    Description("rgs_wallet_call_duration_seconds", "histogram", "One call of a wallet.", ("kind",), SECONDS),
    Description("rgs_events_sent", "counter", "Deliveries of events.", ("operator", "result")),
    Description("rgs_log_lines_dropped", "counter", "Log lines that standard error took too slowly."),
    Description("rgs_cpu_seconds", "counter", "Time on a processor."),
)
"""Counted by workers; the page has the sums over all workers, those that have ended included."""

READ = (
    Description("rgs_in_flight_requests", "gauge", "Requests that are being answered."),
    Description("rgs_queue_spins", "gauge", "Spins that wait for a commit."),
    Description("rgs_queue_spins_max", "gauge", "How many may wait before others are refused (RGS_QUEUE_MAX)."),
    Description("rgs_pool_connections", "gauge", "Connections of the pool.", ("state",)),
    Description("rgs_memory_bytes", "gauge", "Memory that is resident."),
    Description("rgs_loop_lag_seconds", "gauge", "How late the event loop woke up last."),
    Description("rgs_critical_files_changed", "gauge", "Critical files that are not what they were: no round begins."),
    Description("rgs_clock_offset_seconds", "gauge", "The database's clock less ours."),
)
"""Read in workers; the page has each with a label `worker`."""

OBSERVED = (
    Description("rgs_database_up", "gauge", "Whether the database answered the supervisor."),
    Description("rgs_wallet_steps", "gauge", "Steps that wallets have not accepted (at most 10,000).", ("state",)),
    Description("rgs_wallet_step_age_seconds", "gauge", "Since the oldest unfinished step was written."),
    Description("rgs_outbox_lag_seconds", "gauge", "Since the oldest event that is not delivered.", ("operator",)),
    Description("rgs_outbox_events", "gauge", "Events that wait for their receiver (at most 10,000).", ("operator",)),
    Description("rgs_dead_events", "gauge", "Events that were put aside (at most 10,000).", ("operator",)),
    Description("rgs_waiting_rounds", "gauge", "Rounds that wait (at most 10,000).", ("waits_for",)),
    Description("rgs_audit_checkpoint_age_seconds", "gauge", "Since the audit log was signed last."),
    Description(
        "rgs_audit_unsequenced_age_seconds", "gauge", "Since the oldest fact that has no place in the audit log."
    ),
    Description(
        "rgs_roll_up_lag_seconds", "gauge", "For how long the oldest hour without its sums could have had them."
    ),
    Description(
        "rgs_monitor_level",
        "gauge",
        "Last verdict on rounds: 0 insufficient, 1 within, 2 info, 3 investigate, 4 page.",
        CELL,
    ),
    Description("rgs_monitor_page", "gauge", "1 where the last verdict is page.", CELL),
    Description("rgs_monitor_rtp", "gauge", "RTP of the day that was judged last.", CELL),
    Description("rgs_monitor_rtp_certified", "gauge", "Certified RTP.", CELL),
    Description(
        "rgs_monitor_lag_seconds",
        "gauge",
        "For how long the oldest rounds that are not counted could have been; nothing where RGS_MONITOR_S is 0.",
    ),
    Description(
        "rgs_monitor_unjudged",
        "gauge",
        "1 for a build that is played and not judged, as there is no law to judge it by.",
        ("build", "mode"),
    ),
)
"""Read from the database by the supervisor; the same wherever it is asked."""

OF_SUPERVISOR = (
    Description("rgs_build", "gauge", "1, with what runs.", ("version", "python", "mechanic")),
    Description("rgs_workers", "gauge", "Workers that should run."),
    Description("rgs_worker_report_age_seconds", "gauge", "Since a worker has last reported.", ("worker",)),
    Description("rgs_worker_ends", "counter", "Workers that ended and were started again."),
)

ALL = (*COUNTED, *READ, *OBSERVED, *OF_SUPERVISOR)
