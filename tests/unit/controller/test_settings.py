"""The controller's settings."""

import pytest
from pydantic import ValidationError

from gateway_common.configuration.model import Configuration
from gateway_common.manifests.installation import MiddlewareRef, installation_of
from gateway_controller.main import main


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    monkeypatch.setenv("DASK_GATEWAY__INSTANCE", "test")
    monkeypatch.setenv("DASK_GATEWAY__CLUSTERS_API_URL", "http://api:8000/api")
    return monkeypatch


def test_instance_and_api_are_all_that_must_be_set(environment: pytest.MonkeyPatch) -> None:
    made = installation_of(Configuration())
    assert (made.instance, made.api_url) == ("test", "http://api:8000/api")
    assert made.common_labels["app.kubernetes.io/name"] == "dask-gateway"


def test_middlewares_are_read_as_json(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("DASK_GATEWAY__CONTROLLER__PROXY_WEB_MIDDLEWARES", '[{"name": "strip", "namespace": "gw"}]')
    assert installation_of(Configuration()).proxy_web_middlewares == (MiddlewareRef("strip", "gw"),)


@pytest.mark.parametrize(("given", "used"), [("", ""), ("/", ""), ("gateway/", "/gateway"), ("/a/b", "/a/b")])
def test_the_proxys_prefix_may_be_written_with_or_without_slashes(
    environment: pytest.MonkeyPatch, given: str, used: str
) -> None:
    environment.setenv("DASK_GATEWAY__PREFIX", given)
    assert installation_of(Configuration()).proxy_prefix == used


def test_a_misspelt_setting_is_an_error(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("DASK_GATEWAY__CONTROLLER__PARALELISM", "20")
    with pytest.raises(ValidationError, match="paralelism"):
        Configuration()


def test_the_program_says_which_setting_is_wrong_and_ends(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("DASK_GATEWAY__CONTROLLER__PORT", "-1")
    with pytest.raises(SystemExit, match=r"^dask-gateway-controller: DASK_GATEWAY__CONTROLLER__PORT: "):
        main()
