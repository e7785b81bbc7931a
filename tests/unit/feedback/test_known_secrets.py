"""The secrets of the network and of the observers: read, replaced, and warned of where shared."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from headrace.config.feedback.model import FeedbackConfig
from headrace.feedback.known_secrets import KnownSecrets
from headrace.node.network.watched_secrets import BadSecrets

NETWORK, OBSERVERS, NEW = "n" * 32, "o" * 32, "p" * 32


def configured(directory: Path, *, own: bool, observers: int = 3) -> FeedbackConfig:
    (directory / "network.secret").write_text(NETWORK + "\n")
    tables: dict[str, Any] = {
        "node_id": "a",
        "state_dir": directory,
        "listen": [{"address": "127.0.0.1:0"}],
        "network": {
            "file": directory / "network.toml",
            "secret_file": directory / "network.secret",
        },
        "observer": [
            {"node_id": name, "url": f"http://192.0.2.1:809{name}".replace(name, str(place))}
            for place, name in enumerate("abc"[:observers])
        ],
    }
    if own:
        tables["observers_secret_file"] = directory / "observers.secret"
    return FeedbackConfig.model_validate(tables)


@pytest.fixture
def warned(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    found: list[str] = []
    monkeypatch.setattr(
        "headrace.feedback.known_secrets.log.warning",
        lambda event, problem, **_: found.append(f"{event}: {problem}"),
    )
    return found


def test_without_a_secret_of_their_own_it_is_the_networks_and_said_once(
    tmp_path: Path, warned: list[str]
) -> None:
    known = KnownSecrets(configured(tmp_path, own=False))
    assert known.observers == known.network == (NETWORK.encode(),)
    for _ in range(3):
        known.look()
    [told] = warned
    assert told.startswith("observers_share_secret: observers know each other by the network's")


def test_one_alone_is_not_warned(tmp_path: Path, warned: list[str]) -> None:
    KnownSecrets(configured(tmp_path, own=False, observers=0)).warn()
    assert warned == []


def test_a_secret_is_replaced_while_it_runs_from_the_networks_to_their_own(
    tmp_path: Path, warned: list[str]
) -> None:
    file = tmp_path / "observers.secret"
    file.write_text(f"{NETWORK}\n{OBSERVERS}\n")
    known = KnownSecrets(configured(tmp_path, own=True))
    known.warn()
    assert list(known.observers) == [NETWORK.encode(), OBSERVERS.encode()]
    assert len(warned) == 1
    assert "has a secret of the network in it" in warned[0]
    file.write_text(f"{OBSERVERS}\n")
    known.look()
    assert list(known.observers) == [OBSERVERS.encode()]
    assert list(known.network) == [NETWORK.encode()]
    file.write_text("short\n")
    known.look()
    assert list(known.observers) == [OBSERVERS.encode()]
    file.write_text(f"{NEW}\n{OBSERVERS}\n")
    known.look()
    assert list(known.observers) == [NEW.encode(), OBSERVERS.encode()]
    assert len(warned) == 1


def test_a_file_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadSecrets, match=r"observers_secret_file .*observers\.secret"):
        KnownSecrets(configured(tmp_path, own=True))


def test_what_is_no_file_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    config = configured(tmp_path, own=True)
    os.mkfifo(tmp_path / "observers.secret")
    with pytest.raises(BadSecrets, match="secret: it is no file"):
        KnownSecrets(config)
    (tmp_path / "observers.secret").unlink()
    (tmp_path / "observers.secret").write_text(OBSERVERS)
    known = KnownSecrets(config)
    (tmp_path / "observers.secret").unlink()
    os.mkfifo(tmp_path / "observers.secret")
    known.look()
    assert known.observers == (OBSERVERS.encode(),)
