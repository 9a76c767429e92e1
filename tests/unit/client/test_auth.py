"""Authentication schemes, which see an answer and give headers."""

import getpass
from base64 import b64encode
from pathlib import Path
from types import SimpleNamespace

import dask
import pytest

from dask_gateway.auth import BasicAuth, GatewayAuth, JupyterHubAuth, KerberosAuth, TokenAuth, get_auth
from dask_gateway.spnego import negotiate_token

CHALLENGE = SimpleNamespace(status=401, status_code=401, headers={}, url=SimpleNamespace(host="gw"))


class OwnAuth(GatewayAuth):
    def __init__(self, flavour: str = "plain") -> None:
        self.flavour = flavour


def test_basic_sends_user_name_and_password_in_latin_1() -> None:
    headers, context = BasicAuth("jürgen", "a:b").pre_request(CHALLENGE)
    assert headers == {"Authorization": "Basic " + b64encode("jürgen:a:b".encode("latin1")).decode()}
    assert context is None


def test_basic_defaults_to_the_login_name_without_a_password() -> None:
    auth = BasicAuth()
    assert (auth.username, auth.password) == (getpass.getuser(), "")


def test_jupyterhub_sends_its_token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JUPYTERHUB_API_TOKEN", "from-environment")
    assert JupyterHubAuth().pre_request(CHALLENGE)[0] == {"Authorization": "jupyterhub from-environment"}
    assert JupyterHubAuth("given").pre_request(CHALLENGE)[0] == {"Authorization": "jupyterhub given"}


def test_jupyterhub_without_a_token_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("JUPYTERHUB_API_TOKEN", raising=False)
    with pytest.raises(ValueError, match="No JupyterHub API token provided"):
        JupyterHubAuth()


def test_a_token_is_given_or_made_or_found(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def sent(auth: GatewayAuth) -> str:
        headers, _ = auth.pre_request(CHALLENGE)
        return headers["Authorization"]

    assert sent(TokenAuth("given")) == "Bearer given"
    fresh = iter(["one", "two"])
    made = TokenAuth(lambda: next(fresh))
    assert (sent(made), sent(made)) == ("Bearer one", "Bearer two")
    file = tmp_path / "token"
    monkeypatch.setenv("DASK_GATEWAY_TOKEN_FILE", str(file))
    mounted = get_auth("token")
    for text in ("first\n", "second"):
        file.write_text(text)
        assert sent(mounted) == f"Bearer {text.strip()}"
    monkeypatch.setenv("DASK_GATEWAY_TOKEN", "from-environment")
    assert sent(TokenAuth()) == "Bearer from-environment"


def test_no_token_is_an_error_that_says_where_to_put_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DASK_GATEWAY_TOKEN", raising=False)
    monkeypatch.delenv("DASK_GATEWAY_TOKEN_FILE", raising=False)
    with pytest.raises(ValueError, match="DASK_GATEWAY_TOKEN_FILE"):
        TokenAuth()


@pytest.mark.parametrize(
    ("header", "token"),
    [
        ("Negotiate YII=", "YII="),
        ("Basic realm=x, Negotiate YII=", "YII="),
        ("negotiate YII=, Basic", "YII="),
        ("Negotiate", ""),
        ("", ""),
    ],
)
def test_the_servers_kerberos_token_is_found(header: str, token: str) -> None:
    assert negotiate_token(header) == token


def test_kerberos_refuses_a_server_that_proves_nothing() -> None:
    with pytest.raises(PermissionError, match="the server sent no proof"):
        KerberosAuth().post_response(CHALLENGE, None)


@pytest.mark.parametrize(
    ("name", "kind"), [("basic", BasicAuth), ("kerberos", KerberosAuth), ("dask_gateway.auth.BasicAuth", BasicAuth)]
)
def test_schemes_are_found_by_name(name: str, kind: type[GatewayAuth]) -> None:
    assert type(get_auth(name)) is kind


def test_an_instance_is_used_as_it_is_and_a_class_is_created() -> None:
    own = OwnAuth("given")
    assert get_auth(own) is own
    assert isinstance(get_auth(OwnAuth), OwnAuth)


def test_the_configuration_says_scheme_and_arguments(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("THE_USER", "ada")
    configured = {"gateway.auth.type": "basic", "gateway.auth.kwargs": {"username": "{THE_USER}", "password": "pw"}}
    with dask.config.set(configured):
        auth = get_auth()
    assert isinstance(auth, BasicAuth)
    assert (auth.username, auth.password) == ("ada", "pw")


@pytest.mark.parametrize("auth", [1, dict, object()])
def test_what_is_no_scheme_is_a_type_error(auth: object) -> None:
    with pytest.raises(TypeError, match="GatewayAuth"):
        get_auth(auth)  # type: ignore[arg-type]


@pytest.mark.parametrize("path", ["dask_gateway.auth.NoSuch", "no_such_package.Auth", "nonsense"])
def test_an_unknown_import_path_is_an_import_error(path: str) -> None:
    with pytest.raises(ImportError):
        get_auth(path)
