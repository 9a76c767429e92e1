"""The audit log as machines read it."""

import json

import pytest

from gateway_common.audit import audit, configure_audit


def test_an_entry_is_one_line_of_json_on_standard_output(capsys: pytest.CaptureFixture[str]) -> None:
    configure_audit(enabled=True)
    audit("cluster.stop", "denied", user="ali\nce", cluster="dask.a", reason="not hers", attempts=3)
    configure_audit(enabled=False)
    audit("cluster.stop", "allowed", user="bob")
    (line,) = capsys.readouterr().out.splitlines()
    entry = json.loads(line)
    assert entry.pop("time").endswith("Z")
    assert entry == {
        "event": "cluster.stop",
        "outcome": "denied",
        "user": "ali\nce",
        "cluster": "dask.a",
        "reason": "not hers",
        "attempts": 3,
    }
