"""Observers and nodes that ask each other by TLS, by an authority of their own."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path

from headrace.node.network.view_pull import ViewPuller
from headrace.node.network.views import Views
from headrace.topology.view_codec import encode_view
from tests.harness.certificates import Authority
from tests.harness.edge import free_port
from tests.harness.feedback import Feedback
from tests.harness.polling import eventually
from tests.harness.probed import Background, ProbedServer
from tests.harness.toml import to_toml

NAMES = ("a", "b")
PATIENCE_S = 60.0


def test_they_hear_each_other_and_give_views_to_who_knows_their_authority(tmp_path: Path) -> None:
    authority, others = Authority(tmp_path / "ca"), Authority(tmp_path / "others")
    pair = authority.issue("127.0.0.1")
    with contextlib.ExitStack() as stack:
        server = ProbedServer(stack.enter_context(Background()))
        network = tmp_path / "network.toml"
        network.write_text(
            to_toml(
                {
                    "site": [{"name": "north"}],
                    "server": [
                        {
                            "name": "n1", "site": "north", "host": "n1.example",
                            "ipv4": ["127.0.0.1"], "http_port": server.port, "https_port": 0,
                        }
                    ],
                    "coverage": [{"name": "all", "default": True, "sites": [{"name": "north"}]}],
                    "class": [{"name": "vod"}],
                }
            )
        )  # fmt: skip
        urls = {name: f"https://127.0.0.1:{free_port()}" for name in NAMES}
        observers: dict[str, Feedback] = {}
        for name, url in urls.items():
            place = url.removeprefix("https://")
            one = Feedback(tmp_path / name, name, int(place.rpartition(":")[2]))
            observers[name] = stack.enter_context(one)
            certificate = f'[[certificate]]\ncert = "{pair.cert}"\nkey = "{pair.key}"\n'
            one.write(network, urls, tables=certificate)
            text = one.file.read_text()
            text = text.replace(f'"{place}"', f'"{place}"\ntls = true', 1)
            text = text.replace("[network]", f'[network]\nfeedback_ca = "{authority.ca_file}"', 1)
            one.file.write_text(text)
            one.launch()
        for one in observers.values():
            one.event("ready")
            eventually(lambda: one.status()["decides"] == "a", "a decides", PATIENCE_S)  # noqa: B023
        eventually(lambda: observers["b"].view() is not None, "there is a view", PATIENCE_S)
        rows = observers["b"].status()["observers"]
        assert [row["problem"] for row in rows] == ["", ""]
        secret = observers["a"].secret
        assert pulled(urls["b"], secret, authority.ca_file) is not None
        for untrusted in (None, others.ca_file):
            assert pulled(urls["b"], secret, untrusted, within_s=2.0) is None


def pulled(url: str, secret: Path, ca: Path | None, within_s: float = 30.0) -> bytes | None:
    """Return the view that a node takes from there."""

    async def pull() -> bytes | None:
        views = Views(600.0)

        def offer(data: bytes, source: str) -> bool:
            return views.offer(data, source, 1e10)

        puller = ViewPuller([url], secret, lambda: views.after(1e10), offer, ca)
        task = asyncio.create_task(puller.run())
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(within_s):
                while not views.said.version:  # noqa: ASYNC110
                    await asyncio.sleep(0.01)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        return encode_view(views.said) if views.said.version else None

    return asyncio.run(pull())
