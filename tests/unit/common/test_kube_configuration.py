from pathlib import Path

import pytest
from pydantic import SecretStr, ValidationError

from gateway_common.configuration.groups import KubeSettings
from gateway_common.kube_configuration import kr8s_configuration


@pytest.fixture
def in_a_pod(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "10.0.0.1")
    (tmp_path / "token").write_text("secret")
    return tmp_path


@pytest.fixture
def outside(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    return tmp_path


def test_an_address_comes_with_its_token_and_authority_and_before_the_service_account(in_a_pod: Path) -> None:
    settings = KubeSettings(url="https://k:6443", token=SecretStr("t"), ca_file=Path("/ca.crt"))

    kubeconfig = kr8s_configuration(settings, in_a_pod)["kubeconfig"]

    assert kubeconfig["clusters"][0]["cluster"] == {"server": "https://k:6443", "certificate-authority": "/ca.crt"}
    assert kubeconfig["users"][0]["user"] == {"token": "t"}


def test_a_named_kubeconfig_comes_before_the_service_account(in_a_pod: Path) -> None:
    settings = KubeSettings(kubeconfig=Path("/etc/kubeconfig"), context="prod")

    assert kr8s_configuration(settings, in_a_pod) == {"kubeconfig": "/etc/kubeconfig", "context": "prod"}


def test_the_service_account_comes_before_kubectls_files(in_a_pod: Path) -> None:
    configuration = kr8s_configuration(KubeSettings(), in_a_pod)

    assert configuration["serviceaccount"] == str(in_a_pod)
    assert not Path(configuration["kubeconfig"]).exists()


def test_outside_a_pod_kubectls_files_count(outside: Path) -> None:
    assert kr8s_configuration(KubeSettings(), outside) == {}
    assert kr8s_configuration(KubeSettings(context="kind"), outside) == {"kubeconfig": None, "context": "kind"}


@pytest.mark.parametrize(
    "settings",
    [
        {"url": "https://k", "kubeconfig": "/k"},
        {"url": "https://k", "context": "c"},
        {"token": "t"},
        {"insecure_skip_tls_verify": True},
        {"url": "k:6443"},
    ],
)
def test_settings_that_contradict_each_other_are_refused(settings: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        KubeSettings.model_validate(settings)
