"""What the supervisor and a worker say to each other, whatever the role: values, tagged by type.

A role's own questions to its workers travel inside RoleQuestion and RoleNotice.
"""

from __future__ import annotations

import msgspec

from headrace.telemetry.metrics import Snapshot


class Binding(msgspec.Struct, frozen=True):
    """One listener as the workers shall open it.

    `address` is the listener's text in the config. For TCP, `host` and `port` are where to bind
    (the port is the real one, also where the config says 0), each worker with SO_REUSEPORT. For a
    Unix socket `host` is None and `port` 0: the listening descriptor comes with the message, in
    the order of the bindings whose `host` is None. `name` tells listeners apart. `peers`: only
    other servers of the network are answered. `client_ca`: the file of the authorities that sign
    the certificates of clients, which have to show one; "" where they have not. `freebind`: the
    machine need not have the address yet.
    """

    address: str
    host: str | None
    port: int
    tls: bool = False
    backlog: int = 4096
    v6_only: bool = False
    peers: bool = False
    client_ca: str = ""
    freebind: bool = False

    @property
    def name(self) -> str:
        """The address in use: unlike `address` it differs where the config says port 0 twice."""
        return self.address if self.host is None else f"{self.host}:{self.port}"


# Supervisor to worker.


class Configure(msgspec.Struct, tag="configure"):
    """The first message a worker gets. It listens, then answers Ready (or Fatal).

    `config` is the Config model as JSON.
    """

    worker: int
    version: int
    config: str
    bindings: list[Binding]
    draining: bool = False


class Prepare(msgspec.Struct, tag="prepare"):
    """A new config: check and build everything, change nothing. Answer Prepared or Refused.

    `bindings` is the whole new set. Descriptors come for every Unix socket in it; a worker that
    listens on that address already closes the newcomer and keeps its own.
    """

    version: int
    config: str
    bindings: list[Binding]


class Commit(msgspec.Struct, tag="commit"):
    """Every worker is prepared: switch to this version now. Answer Committed."""

    version: int


class Abandon(msgspec.Struct, tag="abandon"):
    """Some worker refused: forget this version and continue with the old one. No answer."""

    version: int


class Drain(msgspec.Struct, tag="drain"):
    """Keep serving, but answer with `Connection: close` and close idle connections."""


class Undrain(msgspec.Struct, tag="undrain"):
    """Serve as before the Drain."""


class Stop(msgspec.Struct, tag="stop"):
    """Stop accepting, finish what runs within `deadline_s` seconds, answer Drained, exit 0."""

    deadline_s: float


class GetStats(msgspec.Struct, tag="get_stats"):
    """Answer Stats with the same `number`; also the heartbeat."""

    number: int


class Check(msgspec.Struct, tag="check"):
    """Answer Checked with the same `number`: could a request be served now?"""

    number: int


class ReopenLogs(msgspec.Struct, tag="reopen_logs"):
    """Close and open the log files again, after a rotation."""


class TakeNetwork(msgspec.Struct, tag="take_network"):
    """Work by this view of the network (null: none) and, with `description`, by the description
    whose descriptor comes with the message. Answer NetworkTaken. Where the configuration has a
    `[network]` the first of these, with a description, comes before Configure.
    """

    number: int
    view: msgspec.Raw
    description: bool


class TakeTicketSecrets(msgspec.Struct, tag="take_ticket_secrets"):
    """Seal session tickets with keys made of the first secret, open those of each. No answer.

    The first of these comes before Configure.
    """

    secrets: list[bytes]


# A role's own messages, which the node passes on unread.


class RoleQuestion(msgspec.Struct, tag="role_question"):
    """Answer RoleAnswer with the same `number`, or nothing."""

    number: int
    question: msgspec.Raw


class RoleNotice(msgspec.Struct, tag="role_notice"):
    """Something that wants no answer."""

    notice: msgspec.Raw


ToWorker = (
    Configure
    | Prepare
    | Commit
    | Abandon
    | Drain
    | Undrain
    | Stop
    | GetStats
    | Check
    | ReopenLogs
    | TakeNetwork
    | TakeTicketSecrets
    | RoleQuestion
    | RoleNotice
)


# Worker to supervisor.


class Ready(msgspec.Struct, tag="ready"):
    """The worker accepts connections on these addresses (each a Binding.name)."""

    pid: int
    listening: list[str]


class Prepared(msgspec.Struct, tag="prepared"):
    """The worker can switch to this version."""

    version: int


class Refused(msgspec.Struct, tag="refused"):
    """The worker cannot switch to this version and continues with the old one."""

    version: int
    problem: str


class Committed(msgspec.Struct, tag="committed"):
    """The worker serves by this version."""

    version: int


class Stats(msgspec.Struct, tag="stats"):
    """The worker's metrics now, in answer to GetStats."""

    number: int
    snapshot: Snapshot


class Checked(msgspec.Struct, tag="checked"):
    """What a request would meet in this worker; `problem` is empty when it would be served."""

    number: int
    problem: str


class Fatal(msgspec.Struct, tag="fatal"):
    """The worker cannot serve and exits; the supervisor logs why."""

    problem: str


class Drained(msgspec.Struct, tag="drained"):
    """The worker has no connection left (or its deadline passed) and exits; last counts."""

    snapshot: Snapshot


class NetworkTaken(msgspec.Struct, tag="network_taken"):
    """The worker works by what TakeNetwork with this number said, or `problem` says why not."""

    number: int
    problem: str = ""


class RoleAnswer(msgspec.Struct, tag="role_answer"):
    """In answer to RoleQuestion."""

    number: int
    answer: msgspec.Raw


FromWorker = (
    Ready
    | Prepared
    | Refused
    | Committed
    | Stats
    | Checked
    | Fatal
    | Drained
    | NetworkTaken
    | RoleAnswer
)

Message = ToWorker | FromWorker
