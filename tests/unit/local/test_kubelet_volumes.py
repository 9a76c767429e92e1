"""Volumes as directories, and mount paths that are translated."""

import base64
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gateway_local.kubelet.environment import PodContext
from gateway_local.kubelet.volumes import MountTable, VolumeUnavailable, rewrite_volumes, write_volumes

ENCODED = {name: base64.b64encode(data).decode() for name, data in {"dask.crt": b"CERT", "raw": b"\0"}.items()}
SECRET = {"kind": "Secret", "data": ENCODED}
CONFIG = {"kind": "ConfigMap", "data": {"a.yaml": "a: 1"}}


def lookup(kind: str, name: str) -> dict[str, Any] | None:
    return {("Secret", "secret"): SECRET, ("ConfigMap", "config"): CONFIG}.get((kind, name))


def written(directory: Path, issue_token: Callable[[], str] | None = None, **volume: Any) -> dict[str, bytes]:
    pod = {
        "metadata": {"name": "pod", "namespace": "dask", "labels": {"app": "dask"}},
        "spec": {"containers": [], "volumes": [{"name": "volume", **volume}]},
    }
    context = PodContext(pod, "127.1.0.2", "127.1.0.1", issue_token)
    path = write_volumes(pod, context, lookup, directory)["volume"]
    return {str(file.relative_to(path)): file.read_bytes() for file in path.rglob("*") if file.is_file()}


MOUNTS = MountTable.of(
    {
        "volumeMounts": [
            {"name": "a", "mountPath": "/etc/dask-credentials/"},
            {"name": "b", "mountPath": "/data"},
            {"name": "c", "mountPath": "/data/deep"},
            {"name": "d", "mountPath": "/etc/one.yaml", "subPath": "one.yaml"},
        ]
    },
    {name: Path("/pod") / name for name in "abcd"},
)


@pytest.mark.parametrize(
    ("text", "rewritten"),
    [
        ("/etc/dask-credentials", "/pod/a"),
        ("/etc/dask-credentials/dask.crt", "/pod/a/dask.crt"),
        ("--cert=/etc/dask-credentials/dask.crt", "--cert=/pod/a/dask.crt"),
        ("/data/x:/data/deep/y", "/pod/b/x:/pod/c/y"),
        ("open('/data/x')", "open('/pod/b/x')"),
        ("/etc/one.yaml", "/pod/d/one.yaml"),
        ("/database", "/database"),
        ("/data.old", "/data.old"),
        ("/srv/data/x", "/srv/data/x"),
        ("~/data", "~/data"),
        ("https://host/data", "https://host/data"),
        ("nothing", "nothing"),
    ],
)
def test_paths_below_a_mount_are_rewritten_wherever_they_begin(text: str, rewritten: str) -> None:
    assert MOUNTS.rewrite(text) == rewritten


def test_a_container_without_mounts_keeps_its_paths() -> None:
    assert MountTable.of({}, {}).rewrite("/etc/passwd") == "/etc/passwd"


@pytest.mark.parametrize(
    ("volume", "files"),
    [
        ({"secret": {"secretName": "secret"}}, {"dask.crt": b"CERT", "raw": b"\0"}),
        ({"secret": {"secretName": "secret", "items": [{"key": "raw", "path": "x/y"}]}}, {"x/y": b"\0"}),
        ({"secret": {"secretName": "none", "optional": True}}, {}),
        ({"configMap": {"name": "config"}}, {"a.yaml": b"a: 1"}),
        ({"emptyDir": {}}, {}),
        (
            {"downwardAPI": {"items": [{"path": "labels", "fieldRef": {"fieldPath": "metadata.labels"}}]}},
            {"labels": b'app="dask"'},
        ),
        (
            {"projected": {"sources": [{"secret": {"name": "secret"}}, {"configMap": {"name": "config"}}]}},
            {"dask.crt": b"CERT", "raw": b"\0", "a.yaml": b"a: 1"},
        ),
    ],
)
def test_a_volume_holds_what_its_source_says(tmp_path: Path, volume: dict[str, Any], files: dict[str, bytes]) -> None:
    assert written(tmp_path, **volume) == files


def test_only_its_owner_can_read_a_secret(tmp_path: Path) -> None:
    written(tmp_path, secret={"secretName": "secret"})
    assert (tmp_path / "volume").stat().st_mode & 0o777 == 0o700
    assert (tmp_path / "volume" / "dask.crt").stat().st_mode & 0o777 == 0o600


def test_a_service_account_s_token_is_a_file_like_any_other(tmp_path: Path) -> None:
    sources = [
        {"serviceAccountToken": {"path": "token"}},
        {"downwardAPI": {"items": [{"path": "namespace", "fieldRef": {"fieldPath": "metadata.namespace"}}]}},
    ]
    files = written(tmp_path, lambda: "sesame", projected={"sources": sources})
    assert files == {"token": b"sesame", "namespace": b"dask"}


def test_files_have_the_modes_that_they_are_given(tmp_path: Path) -> None:
    items = [{"key": "raw", "path": "raw", "mode": 0o400}, {"key": "dask.crt", "path": "dask.crt"}]
    written(tmp_path, secret={"secretName": "secret", "defaultMode": 0o440, "items": items})
    modes = {path.name: path.stat().st_mode & 0o777 for path in (tmp_path / "volume").iterdir()}
    assert modes == {"raw": 0o400, "dask.crt": 0o440}


@pytest.mark.parametrize(
    ("volume", "problem"),
    [
        ({"secret": {"secretName": "none"}}, 'secret "none" not found'),
        (
            {"secret": {"secretName": "secret", "items": [{"key": "k", "path": "p"}]}},
            "references non-existent secret key: k",
        ),
        ({"secret": {"secretName": "secret", "items": [{"key": "raw", "path": "../p"}]}}, "must stay inside"),
        ({"persistentVolumeClaim": {"claimName": "x"}}, "no volumes of kind persistentVolumeClaim"),
        ({"projected": {"sources": [{"serviceAccountToken": {"path": "token"}}]}}, "projects no serviceAccountToken"),
    ],
)
def test_a_volume_that_can_not_be_had_says_why(tmp_path: Path, volume: dict[str, Any], problem: str) -> None:
    with pytest.raises(VolumeUnavailable, match=problem):
        written(tmp_path, **volume)


def test_a_volume_follows_what_it_was_made_of(tmp_path: Path) -> None:
    objects = {
        ("ConfigMap", "one"): {"kind": "ConfigMap", "data": {"kept": "1", "dropped": "1"}},
        ("ConfigMap", "two"): {"kind": "ConfigMap", "data": {"other": "1"}},
    }
    sources = [{"configMap": {"name": name}} for name in ("one", "two")]
    volumes = [{"name": "both", "projected": {"sources": sources}}, {"name": "free", "emptyDir": {}}]
    pod = {"metadata": {"name": "pod", "namespace": "dask"}, "spec": {"containers": [], "volumes": volumes}}
    context = PodContext(pod, "127.1.0.2", "127.1.0.1")

    def find(kind: str, name: str) -> dict[str, Any] | None:
        return objects.get((kind, name))

    directories = write_volumes(pod, context, find, tmp_path)
    (directories["free"] / "own").write_text("mine")
    objects["ConfigMap", "one"]["data"] = {"kept": "2", "added": "2"}

    rewrite_volumes(pod, context, find, directories, ("ConfigMap", "one"))

    files = {path.name: path.read_text() for path in directories["both"].iterdir()}
    assert files == {"kept": "2", "added": "2", "other": "1"}
    assert (directories["free"] / "own").read_text() == "mine"
    del objects["ConfigMap", "one"]
    rewrite_volumes(pod, context, find, directories, ("ConfigMap", "one"))
    assert (directories["both"] / "kept").read_text() == "2"
