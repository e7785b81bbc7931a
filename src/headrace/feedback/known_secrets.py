"""The secrets that a feedback process knows others by: nodes by the network's, observers by theirs.

Where observers have none of their own, the network's is used: then every node that has that can
speak as an observer, and the log says so.
"""

from __future__ import annotations

import structlog

from headrace.config.feedback.model import FeedbackConfig
from headrace.node.network.signed import Secrets
from headrace.node.network.watched_secrets import WatchedSecrets

KEY = "observers_secret_file"

log = structlog.get_logger("headrace.feedback")


class KnownSecrets:
    """Both, as their files have them; `look` reads these again."""

    def __init__(self, config: FeedbackConfig) -> None:
        """Read the files. Raises BadSecrets."""
        self._network = WatchedSecrets(config.network.secret_file)
        path = config.observers_secret_file
        self._observers = self._network if path is None else WatchedSecrets(path, KEY)
        self._tells_others = len(config.observers) > 1
        self._warned = ""

    @property
    def network(self) -> Secrets:
        """What nodes are known by, and views are signed with."""
        return self._network.secrets

    @property
    def observers(self) -> Secrets:
        """What observers are known by."""
        return self._observers.secrets

    def look(self) -> None:
        """Read again the files that have changed."""
        self._network.look()
        if self._observers is not self._network:
            self._observers.look()
        self.warn()

    def warn(self) -> None:
        """Say, once for each reason, that nodes can speak as observers."""
        problem = self._shared() if self._tells_others else ""
        if problem and problem != self._warned:
            log.warning(
                "observers_share_secret",
                problem=problem,
                remedy=f"give the observers a secret of their own: {KEY} in their feedback.toml",
            )
        self._warned = problem

    def _shared(self) -> str:
        """Return why a node can speak as an observer; "" if none can."""
        if self._observers is self._network:
            return "observers know each other by the network's secret, which every node has"
        if set(self._observers.secrets) & set(self._network.secrets):
            return f"{KEY} has a secret of the network in it, which every node has"
        return ""
