"""What a container would give Traefik is given by its arguments and a kubeconfig."""

from pathlib import Path

import pytest

from gateway_local.kubelet.traefik_entrypoint import bind, kubeconfig, service_account

IP = "127.20.0.5"
OWN = f"--entrypoints.traefik.address={IP}:8080"


@pytest.mark.parametrize(
    ("argument", "bound"),
    [
        ("--entryPoints.web.address=:8000", f"--entryPoints.web.address={IP}:8000"),
        ("--entrypoints.web.address=0.0.0.0:80/tcp", f"--entrypoints.web.address={IP}:80/tcp"),
        ("--entrypoints.tcp.address=[::]:8786", f"--entrypoints.tcp.address={IP}:8786"),
        ("--entrypoints.web.address=10.0.0.1:80", "--entrypoints.web.address=10.0.0.1:80"),
        ("--entrypoints.web.http.tls=true", "--entrypoints.web.http.tls=true"),
        ("--ping=true", "--ping=true"),
    ],
)
def test_entry_points_listen_on_the_pod_s_address(argument: str, bound: str) -> None:
    assert bind([argument], IP) == [bound, OWN]


def test_an_entry_point_of_its_own_that_is_named_is_not_named_again() -> None:
    named = ["--entryPoints.traefik.address=:9000"]
    assert bind(named, IP) == [f"--entryPoints.traefik.address={IP}:9000"]


def test_the_service_account_is_where_its_mount_really_is() -> None:
    mounts = "/data\t/pods/1/data\n/var/run/secrets/kubernetes.io/serviceaccount\t/pods/1/token"
    assert service_account({"GATEWAY_LOCAL_POD_MOUNTS": mounts}) == Path("/pods/1/token")
    assert service_account({"GATEWAY_LOCAL_POD_MOUNTS": "/data\t/pods/1/data"}) is None


def test_the_kubeconfig_names_the_token_s_file_so_that_a_new_one_is_seen() -> None:
    written = kubeconfig(Path("/pods/1/token"), "127.0.0.1", "6443")
    assert written["clusters"] == [
        {
            "name": "in-cluster",
            "cluster": {"server": "https://127.0.0.1:6443", "certificate-authority": "/pods/1/token/ca.crt"},
        }
    ]
    assert written["users"] == [{"name": "in-cluster", "user": {"tokenFile": "/pods/1/token/token"}}]
