"""Three scripted origins with the same content, and an edge whose services use them in many
ways."""

from __future__ import annotations

import contextlib
import json
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.harness.edge import Edge, running_edge
from tests.harness.origin import Origin
from tests.harness.polling import eventually

STALL_S = 0.5
KINDS = ("scripted", "dns", "refused", "connect_timeout", "tls")
MODES = ("retry", "switch", "off")


@dataclass
class Lab:
    """The edge and its origins, in the order in which they are asked."""

    edge: Edge
    origins: tuple[Origin, Origin, Origin]
    access_log: Path

    def counts(self, path: str) -> list[int]:
        """How often each origin was asked for this path."""
        return [origin.count(path) for origin in self.origins]

    def logged(self, path: str) -> dict[str, Any]:
        """The access log's line for the only request for this path, once it is there."""
        found: list[dict[str, Any]] = []

        def there() -> bool:
            lines = self.access_log.read_text().splitlines(keepends=True)
            whole = [json.loads(line) for line in lines if line.endswith("\n")]
            found[:] = [line for line in whole if line["path"] == path]
            return bool(found)

        eventually(there, f"{path} is logged")
        (line,) = found
        return line


@contextlib.contextmanager
def deaf_port() -> Iterator[int]:
    """A port that lets nobody connect and refuses nobody: its queue is full."""
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        port = listener.getsockname()[1]
        for _ in range(4):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(("127.0.0.1", port))
        yield port


@contextlib.contextmanager
def closed_port() -> Iterator[int]:
    """A port that is bound and does not listen: connects are refused."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        yield sock.getsockname()[1]


def pool(urls: list[str], mode: str, **more: object) -> dict[str, object]:
    origins = [
        {"url": url, "name": name, "switching": mode == "switch"}
        for url, name in zip(urls, "abc", strict=False)
    ]
    found: dict[str, object] = {
        "name": "p", "retry_budget": 10, "outliers": {"failures": 0}, "origin": origins,
    }  # fmt: skip
    return found | more


def retry(mode: str) -> dict[str, object]:
    found: dict[str, object] = {"name": "default", "stall": STALL_S, "min_rate": 100_000}
    if mode == "off":
        return found | {"retry_on": [], "retry_statuses": [], "tries": 1}
    return found | {"retry_statuses": [403, 404, 500, 503], "backoff": 0.05}


def service(
    name: str, pools: list[dict[str, object]], mode: str, **more: object
) -> dict[str, object]:
    found: dict[str, object] = {
        "name": name, "hosts": [f"{name}.test"], "pool": pools, "retry": [retry(mode)],
    }  # fmt: skip
    return found | more


@pytest.fixture(scope="package")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    with contextlib.ExitStack() as stack:
        origins = tuple(stack.enter_context(Origin()) for _ in range(3))
        a, b, c = (origin.url for origin in origins)
        firsts = {
            "scripted": a,
            "dns": "http://no-such-host.invalid:80",
            "refused": f"http://127.0.0.1:{stack.enter_context(closed_port())}",
            "connect_timeout": f"http://127.0.0.1:{stack.enter_context(deaf_port())}",
            "tls": a.replace("http:", "https:"),
        }
        services = [
            service(f"{kind}-{mode}", [pool([firsts[kind], b, c], mode)], mode)
            for kind in KINDS
            for mode in MODES
        ]
        for same in ("modified", "overlap"):
            services.append(service(f"by-{same}", [pool([a, b, c], "switch", same=same)], "switch"))
        services.append(service("debugged", [pool([a, b, c], "switch")], "switch", debug=True))
        directory = tmp_path_factory.mktemp("switching")
        access_log = directory / "access.log"
        overrides: dict[str, object] = {
            "access_log": {"path": access_log},
            "timeouts": {"origin_connect": 0.5, "origin_first_byte": 0.5},
            "more_services": services,
        }
        edge = stack.enter_context(running_edge(a, directory, overrides))
        edge.expected_errors = {"origin_switch_failed"}
        first, second, third = origins
        yield Lab(edge, (first, second, third), access_log)


@pytest.fixture
def path(request: pytest.FixtureRequest) -> str:
    """A path that no other test uses."""
    name = "".join(c if c.isalnum() else "-" for c in request.node.name)
    return f"/{name}"
