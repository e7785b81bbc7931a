from __future__ import annotations

import pytest
from pydantic import ValidationError

from headrace.config.network_member import NetworkMember


@pytest.mark.parametrize("setting", [{"learn_coverage": True}, {"view_from": ["http://h:1"]}])
def test_what_is_signed_needs_the_secret(setting: dict[str, object]) -> None:
    with pytest.raises(ValidationError, match="needs secret_file"):
        NetworkMember.model_validate({"file": "/n", **setting})
    NetworkMember.model_validate({"file": "/n", "secret_file": "/s", **setting})
