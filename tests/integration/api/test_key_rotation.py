"""Signing keys are changed while users work, with two replicas of auth that are restarted one by one."""

from collections.abc import Sequence
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from fastapi import FastAPI
from starlette.types import Receive, Scope, Send

from gateway_auth.app import create_app as create_auth_app
from gateway_common.configuration.groups import KubeSettings
from gateway_common.configuration.model import Configuration
from tests.kit.api import INSTANCE, PASSWORD, Api, running_api


class RoundRobin:
    """A Service with two replicas: an ASGI application that hands each request to the next one."""

    def __init__(self, keys: Sequence[Path]) -> None:
        self._replicas = [_replica(keys), _replica(keys)]
        self._turn = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._turn += 1
        await self._replicas[self._turn % 2](scope, receive, send)

    def restart(self, replica: int, keys: Sequence[Path]) -> None:
        self._replicas[replica] = _replica(keys)


def _replica(keys: Sequence[Path]) -> FastAPI:
    settings = {"simple": {"password": PASSWORD}, "signing_keys": [str(key) for key in keys]}
    return create_auth_app(Configuration.model_validate({"instance": INSTANCE, "auth": settings}))


def new_key(file: Path) -> Path:
    key = ec.generate_private_key(ec.SECP256R1())
    form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    file.write_bytes(key.private_bytes(*form))
    return file


async def sign_in(api: Api, user: str) -> str:
    """The cookie of a session."""
    answer = await api.user(user).get("/api/v2/me")
    assert answer.status_code == 200, answer.text
    return answer.headers["set-cookie"].partition(";")[0]


async def test_nobody_is_signed_out_when_keys_are_rotated(kube: KubeSettings, namespace: str, tmp_path: Path) -> None:
    old, new = new_key(tmp_path / "old.pem"), new_key(tmp_path / "new.pem")
    auth = RoundRobin([old])
    sessions: list[str] = []
    # a key is known everywhere before it signs anywhere, and goes when all that it has signed is over
    for keys in ([old], [old, new], [new, old], [new]):
        for replica in (0, 1):
            auth.restart(replica, keys)
            # a new replica of the api, which knows neither keys nor sessions
            async with running_api(kube, namespace, auth=auth) as api:
                sessions += [await sign_in(api, f"user{number}") for number in range(2)]
                for session in sessions:
                    answer = await api.client().get("/api/v2/me", headers={"cookie": session})
                    assert answer.status_code == 200, (keys, replica)
        if keys[0] is new:
            # those of the old key have run out
            sessions = sessions[-2:]
