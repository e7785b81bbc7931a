"""Problems of a feedback process's configuration that span several tables. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from headrace.config.feedback.model import FeedbackConfig
from headrace.config.for_servers import for_servers_alone
from headrace.config.problems import Problem


def inconsistencies(config: FeedbackConfig) -> list[Problem]:
    """Return what does not fit together."""
    return [
        *for_servers_alone(config, "a feedback process answers no requests between servers"),
        *_views(config),
        *_observers(config),
        *_probes(config),
        *_routers(config),
        *_states(config),
    ]


def _views(config: FeedbackConfig) -> Iterator[Problem]:
    for key, value in (
        ("view", config.network.view),
        ("view_socket", config.network.view_socket),
        ("view_from", ", ".join(config.network.view_from) or None),
    ):
        if value is not None:
            yield Problem(
                ("network", key),
                "a feedback process makes the view, it does not take one",
                "remove the line; [publish] says where its views go",
                repr(str(value)),
            )


def _observers(config: FeedbackConfig) -> Iterator[Problem]:
    names = [one.node_id for one in config.observers]
    for index, name in enumerate(names):
        if name in names[:index]:
            yield Problem(
                ("observer", index, "node_id"),
                "two observers have this node_id",
                "give each feedback process a node_id of its own",
                repr(name),
            )
    if names and config.node_id not in names:
        yield Problem(
            ("node_id",),
            f"this process is none of its [[observer]] tables: {', '.join(names)}",
            "set node_id to the one that this process is, or add it to the list",
            repr(config.node_id),
        )
    own = config.observers_secret_file
    if own is not None and own == config.network.secret_file:
        yield Problem(
            ("observers_secret_file",),
            "this is the secret of the network, which every node has",
            "make another one for the observers, or remove the line",
            repr(str(own)),
            concerns=(("network", "secret_file"),),
        )
    if len(names) > 1 and config.network.secret_file is None:
        yield Problem(
            ("network", "secret_file"),
            "observers know each other by the network's secret",
            "name a file with a secret of at least 32 characters, the same at all nodes",
            "unset",
        )


def _probes(config: FeedbackConfig) -> Iterator[Problem]:
    for table, place in ((config.probing, "probing"), (config.reports, "reports")):
        if table.timeout_s > table.interval_s:
            yield Problem(
                (place, "timeout"),
                f"it is longer than interval, {table.interval_s:g} s: each would meet the next",
                "make it shorter, or the interval longer",
                f"{table.timeout_s:g}",
            )
    if config.probing.slow_s > config.probing.timeout_s:
        yield Problem(
            ("probing", "slow"),
            f"it is longer than timeout, {config.probing.timeout_s:g} s: nothing would be slow",
            "make it shorter",
            f"{config.probing.slow_s:g}",
        )


def _routers(config: FeedbackConfig) -> Iterator[Problem]:
    names = [one.name for one in config.routers]
    for index, name in enumerate(names):
        if name in names[:index]:
            yield Problem(
                ("router", index, "name"),
                "two routers have this name",
                "remove one",
                repr(name),
            )


def _states(config: FeedbackConfig) -> Iterator[Problem]:
    states = config.states
    for low, high in (("reuse", "suppress"), ("full_below", "full_above")):
        below, above = getattr(states, low), getattr(states, high)
        if below >= above:
            yield Problem(
                ("states", low),
                f"it is not less than {high}, {above:g}: a server would come and go at once",
                f"make it less than {high}",
                f"{below:g}",
                concerns=(("states", high),),
            )
