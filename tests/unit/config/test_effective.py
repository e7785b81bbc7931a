from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from headrace.config.edge import EDGE
from headrace.config.edge.model import Config
from headrace.config.effective import effective_toml
from headrace.config.loader import load_config, parse_config, validate_document
from headrace.config.secrets import MASK

EXAMPLE = Path(__file__).parents[3] / "docs/examples/edge.toml"

SECONDS = st.floats(0.001, 1e6).map(lambda value: round(value, 3))
DOCUMENTS = st.fixed_dictionaries(
    {
        "cache_dir": st.just("/c"),
        "listen": st.just([{"address": "127.0.0.1:1"}]),
        "service": st.just([{"name": "a", "hosts": ["*"], "origins": ["http://o:1"]}]),
    },
    optional={
        "workers": st.integers(1, 256),
        "drain_timeout": SECONDS,
        "store": st.fixed_dictionaries(
            {"size": st.integers(2**30, 2**50)},
            optional={
                "slice": st.sampled_from([2**16, 2**20, 2**23]),
                "memory": st.integers(0, 2**40),
            },
        ),
        "timeouts": st.fixed_dictionaries({}, optional={"head": SECONDS, "idle": SECONDS}),
        "limits": st.fixed_dictionaries({}, optional={"ranges": st.integers(1, 999)}),
    },
)


def loaded(document: dict[str, object]) -> Config:
    return validate_document(document, EDGE, str, base=Path("/"))


@given(DOCUMENTS)
def test_what_check_prints_loads_to_the_same(document: dict[str, object]) -> None:
    config = loaded(document)
    text = effective_toml(config, EDGE, show_secrets=True)
    assert parse_config(text, "again", EDGE, base=Path("/")) == config


def test_the_example_loads_to_the_same() -> None:
    config = load_config(EXAMPLE, EDGE)
    assert parse_config(effective_toml(config, EDGE), "again", EDGE, base=Path("/")) == config


def test_the_token_is_not_shown() -> None:
    config = loaded(
        {
            "cache_dir": "/c",
            "listen": [{"address": "127.0.0.1:1"}],
            "service": [{"name": "a", "hosts": ["*"], "origins": ["http://o:1"]}],
            "admin": {"listen": "127.0.0.1:2", "token": "sixteen-characters"},
        }
    )
    text = effective_toml(config, EDGE)
    assert ("sixteen-characters" in text, MASK in text) == (False, True)


def test_a_file_mode_is_written_in_octal_and_read_again_by_file_and_channel() -> None:
    config = loaded(
        {
            "cache_dir": "/c",
            "listen": [{"address": "unix:/s", "unix_mode": "0600"}],
            "service": [{"name": "a", "hosts": ["*"], "origins": ["http://o:1"]}],
        }
    )
    assert config.listeners[0].unix_mode == 0o600
    text = effective_toml(config, EDGE)
    assert 'unix_mode = "0600"' in text
    assert parse_config(text, "again", EDGE, base=Path("/")) == config
    assert Config.from_json(config.to_json()) == config
