"""Who the caller is, what they use, how they sign out, and what the audit log says of it."""

import json
import logging

import pytest

from gateway_common.configuration.groups import KubeSettings
from tests.kit.api import PASSWORD, Api, running_api
from tests.kit.credentials import basic_credentials


async def test_the_caller_sees_who_they_are_and_what_they_use(api: Api) -> None:
    alice = api.user("alice")
    answer = await alice.get("/api/v2/me")
    assert answer.status_code == 200, answer.text
    before = answer.json()
    assert (before["name"], before["groups"], before["admin"]) == ("alice", [], False)
    assert before["used"] == {"clusters": 0, "workers": 0, "cores": 0.0, "memory": 0}
    assert set(before["allowed"].values()) == {None}
    await api.create(alice)
    used = (await alice.get("/api/v2/me")).json()["used"]
    assert used == {"clusters": 1, "workers": 0, "cores": 1.0, "memory": 2 * 2**30}
    assert (await api.user("bob").get("/api/v2/me")).json()["used"]["clusters"] == 0
    assert (await api.client().get("/api/v2/me")).status_code == 401


async def test_limits_and_rights_are_said(kube: KubeSettings, namespace: str) -> None:
    limits = {"user": {"clusters": 2, "cores": 10.5}}
    async with running_api(kube, namespace, limits=limits, admin={"users": ["root"]}) as api:
        me = (await api.user("root").get("/api/v2/me")).json()
    assert me["admin"] is True
    assert (me["allowed"]["clusters"], me["allowed"]["cores"], me["allowed"]["memory"]) == (2, 10.5, None)


async def test_who_signs_out_has_to_sign_in_again(api: Api) -> None:
    alice = api.client()
    await alice.get("/api/v1/options", headers=basic_credentials("alice", PASSWORD))
    assert (await alice.get("/api/v1/options")).status_code == 200
    answer = await alice.post("/api/v2/logout")
    assert answer.status_code == 204
    assert not alice.cookies
    assert (await alice.get("/api/v1/options")).status_code == 401


@pytest.mark.usefixtures("audited")
async def test_each_decision_is_a_line_of_json_without_secrets(api: Api, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    alice, bob = api.user("alice"), api.user("bob")
    cluster = str(await api.create(alice))
    assert (await bob.delete(f"/api/v1/clusters/{cluster}")).status_code == 403
    assert (await alice.delete(f"/api/v1/clusters/{cluster}")).status_code == 204
    wrong = await api.client(**basic_credentials("alice", "wr0ng-secret")).get("/api/v1/options")
    assert wrong.status_code == 401

    found = [json.loads(record.getMessage()) for record in caplog.records if record.name == "dask_gateway.audit"]
    told = [(entry["event"], entry["outcome"], entry.get("user"), entry.get("cluster")) for entry in found]
    assert told == [
        ("session.start", "allowed", "alice", None),
        ("cluster.create", "allowed", "alice", cluster),
        ("session.start", "allowed", "bob", None),
        ("cluster.stop", "denied", "bob", cluster),
        ("cluster.stop", "allowed", "alice", cluster),
        ("session.start", "denied", "alice", None),
    ]
    assert all(entry["time"].endswith("Z") and entry["client"] for entry in found)
    secrets = [PASSWORD, "wr0ng-secret", *(basic_credentials("alice", PASSWORD)["authorization"].split()[1:])]
    secrets += [value for user in (alice, bob) for value in user.cookies.values()]
    assert len(secrets) == 5
    assert not [secret for secret in secrets if secret in caplog.text]
