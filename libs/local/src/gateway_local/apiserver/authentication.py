"""Who asks: bearer tokens of the server's owner, and those of service accounts.

A service account's token is a random text that only this server can tell the meaning of (Kubernetes' are signed JWTs).
It is bound to a pod, and worth nothing once the account or the pod is gone.
"""

import hmac
import secrets
from collections.abc import Iterable
from dataclasses import dataclass

from gateway_local.apiserver.authorization import MASTERS
from gateway_local.apiserver.errors import unauthorized
from gateway_local.apiserver.rbac import User, service_account_groups, service_account_name
from gateway_local.apiserver.storage import Storage

_OWNER = User("system:admin", frozenset({MASTERS, "system:authenticated"}))


@dataclass(frozen=True, slots=True)
class _Bound:
    """What a service account's token stands on: objects of these names, and of these very lives."""

    namespace: str
    account: str
    account_uid: str
    pod: str
    pod_uid: str


class ServiceAccountTokens:
    """Makes tokens for pods, and knows them again."""

    def __init__(self, storage: Storage) -> None:
        self._accounts = storage.open(("", "serviceaccounts"))
        self._pods = storage.open(("", "pods"))
        self._bound: dict[str, _Bound] = {}

    def issue(self, namespace: str, account: str, pod: str) -> str:
        """A token for a pod that runs under an account. `KeyError` unless there are both."""
        self._forget_dead()
        stored, user = self._pods.get(namespace, pod), self._accounts.get(namespace, account)
        if stored is None or user is None:
            raise KeyError(f'serviceaccount "{account}" not found')
        token = secrets.token_urlsafe(32)
        self._bound[token] = _Bound(namespace, account, user.uid, pod, stored.uid)
        return token

    def find(self, token: str) -> User | None:
        """Whose token it is, None for one that is not valid, or no longer."""
        bound = self._bound.get(token)
        if bound is None or not self._is_alive(bound):
            return None
        return User(service_account_name(bound.namespace, bound.account), service_account_groups(bound.namespace))

    def _is_alive(self, bound: _Bound) -> bool:
        account = self._accounts.get(bound.namespace, bound.account)
        pod = self._pods.get(bound.namespace, bound.pod)
        return bool(account and account.uid == bound.account_uid and pod and pod.uid == bound.pod_uid)

    def _forget_dead(self) -> None:
        for token in [token for token, bound in self._bound.items() if not self._is_alive(bound)]:
            del self._bound[token]


class Authenticator:
    """Tells who asks by the Authorization header.

    Parameters
    ----------
    tokens
        Those of the server's owner, who may do everything; empty: whoever asks without a known token is the owner.
    """

    def __init__(self, tokens: Iterable[str], service_accounts: ServiceAccountTokens) -> None:
        self._tokens = [token.encode() for token in tokens]
        self._service_accounts = service_accounts

    def authenticate(self, authorization: str) -> User:
        """`StatusError` 401 for nobody known."""
        scheme, _, token = authorization.partition(" ")
        token = token.strip() if scheme.lower() == "bearer" else ""
        given = token.encode("latin-1", "replace")
        if any(hmac.compare_digest(given, known) for known in self._tokens):
            return _OWNER
        user = self._service_accounts.find(token)
        if user is None and self._tokens:
            raise unauthorized()
        return user or _OWNER
