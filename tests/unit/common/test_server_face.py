"""What operators' code imports and subclasses."""

import pytest
from traitlets import TraitError, Unicode, default, validate

from dask_gateway_server.auth import Authenticator, SimpleAuthenticator, unauthorized
from dask_gateway_server.backends.kubernetes import KubeClusterConfig
from dask_gateway_server.backends.resolve import resolve_config
from dask_gateway_server.models import ClusterStatus
from dask_gateway_server.traitlets import Command, MemoryLimit
from gateway_common.config import ClusterConfig, parse_cluster_config
from gateway_common.configuration.python_code import CodeBlock, run_code
from gateway_common.errors import InvalidConfig


class TieredConfig(KubeClusterConfig):
    tier = Unicode("small", config=True)

    @default("worker_cores")
    def _worker_cores(self) -> float:
        return 8.0 if self.tier == "large" else 2.0

    @validate("worker_memory")
    def _worker_memory(self, proposal: dict[str, int]) -> int:
        if proposal["value"] > 2**34:
            raise TraitError("workers may have 16 GiB")
        return proposal["value"]


def test_every_field_is_a_traitlet_with_the_same_default() -> None:
    values = KubeClusterConfig().to_dict()
    assert set(values) == set(ClusterConfig.model_fields)
    assert parse_cluster_config(resolve_config(KubeClusterConfig, {})) == parse_cluster_config({})


def test_traitlets_of_the_reference_system_are_found_where_it_has_them() -> None:
    class Capped(KubeClusterConfig):
        cap = MemoryLimit("4 G", config=True)
        setup = Command("prepare.sh", config=True)

    assert (Capped(cap="2 G").cap, Capped().setup) == (2 * 2**30, ["prepare.sh"])


def test_a_subclass_decides_what_no_field_sets() -> None:
    resolved = resolve_config(TieredConfig, {"worker_memory": "4 G"})
    assert (resolved["worker_cores"], resolved["worker_cores_limit"], resolved["worker_threads"]) == (2, 2, 2)
    assert resolved["worker_memory"] == 4 * 2**30
    assert "tier" not in resolved
    assert resolve_config(TieredConfig, {"tier": "large"})["worker_cores"] == 8
    assert resolve_config(TieredConfig, {"tier": "large", "worker_cores": 3})["worker_cores"] == 3


def test_what_a_subclass_refuses_is_told_in_its_words() -> None:
    with pytest.raises(InvalidConfig, match="workers may have 16 GiB"):
        resolve_config(TieredConfig, {"worker_memory": "32 G"})
    with pytest.raises(InvalidConfig, match=r"^environment: expected an object, got 3$"):
        resolve_config(TieredConfig, {"environment": 3})


def test_a_class_may_be_named_by_its_place() -> None:
    place = "dask_gateway_server.backends.kubernetes:KubeClusterConfig"
    assert resolve_config(place, {"image": "a:1"})["image"] == "a:1"
    with pytest.raises(InvalidConfig, match="can't be imported"):
        resolve_config("no_such_module:Thing", {})


def test_configuration_code_sets_traitlets_of_the_operators_own_class() -> None:
    source = (
        "from traitlets import Unicode, default\n"
        "from dask_gateway_server.backends.kubernetes import KubeClusterConfig\n"
        "class Mine(KubeClusterConfig):\n"
        "    tier = Unicode('small', config=True)\n"
        "    @default('worker_cores')\n"
        "    def _cores(self):\n"
        "        return 8.0 if self.tier == 'large' else 2.0\n"
        "c.KubeBackend.cluster_config_class = Mine\n"
        "c.Mine.tier = 'large'\n"
        "c.Mine.image = 'mine:1'\n"
    )
    assigned = run_code([CodeBlock("code", source)], values={}, settings={})
    assert assigned.settings["backend", "image"] == "mine:1"
    assert resolve_config(assigned.settings["cluster_config_class",], {})["worker_cores"] == 8


@pytest.mark.parametrize(
    "source",
    [
        "from dask_gateway_server.backends.kubernetes import KubeBackend\nstart = KubeBackend.start_cluster",
        "from dask_gateway_server.backends.kubernetes import KubeBackend\n"
        "async def start_cluster(self, *args): pass\n"
        "KubeBackend.start_cluster = start_cluster",
    ],
)
def test_methods_of_the_backend_are_not_there_to_be_replaced(source: str) -> None:
    with pytest.raises(InvalidConfig, match=r"there is no KubeBackend.start_cluster: .* handler of cluster_options"):
        run_code([CodeBlock("code", source)], values={}, settings={})


@pytest.mark.parametrize(
    "statement",
    [
        "from dask_gateway_server.app import DaskGateway",
        "from dask_gateway_server.utils import TaskPool",
        "from dask_gateway_server.backends.kubernetes.controller import KubeController",
        "import dask_gateway_server.app as app; app.DaskGateway",
        "from dask_gateway_server.models import Cluster",
        "from dask_gateway_server.backends.kubernetes import KubeController",
    ],
)
def test_parts_of_the_server_that_are_not_here_say_so(statement: str) -> None:
    with pytest.raises(InvalidConfig, match=r"of dask-gateway 2026.3.0 is not in this gateway: "):
        run_code([CodeBlock("code", statement)], values={}, settings={})


def test_the_states_of_a_cluster_have_the_names_and_numbers_that_they_had() -> None:
    assert {state.name: int(state) for state in ClusterStatus} == {
        "PENDING": 1,
        "RUNNING": 2,
        "STOPPING": 3,
        "STOPPED": 4,
        "FAILED": 5,
    }


async def test_a_base_class_says_that_it_cannot_authenticate() -> None:
    for authenticator in (Authenticator(), SimpleAuthenticator()):
        await authenticator.setup(None)
        with pytest.raises(NotImplementedError, match=type(authenticator).__name__):
            await authenticator.authenticate(None)


def test_unauthorized_asks_for_a_scheme() -> None:
    error = unauthorized("jupyterhub")
    assert getattr(error, "headers")["WWW-Authenticate"] == "jupyterhub"  # noqa: B009 - aiohttp's, not Exception's
