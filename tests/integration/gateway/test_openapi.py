"""schemathesis against the services as they run: no 5xx, and no answer that their OpenAPI documents do not promise."""

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from dask_gateway import BasicAuth, Gateway
from gateway_local.gateway import LocalGateway, LocalSettings

PASSWORD = "correct horse"
#: What an answer has to be whatever was asked. Whether a request is to be refused is not for the document to say: it
#: does not know the options, the limits and the clusters that there are.
CHECKS = (
    "not_a_server_error,status_code_conformance,content_type_conformance,response_headers_conformance,"
    "response_schema_conformance,ignored_auth,unsupported_method,use_after_free"
)
PROGRAM = Path(sys.executable).with_name("schemathesis")

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def gateway(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[LocalGateway]:
    settings = LocalSettings(
        port=0,
        password=PASSWORD,
        directory=tmp_path_factory.mktemp("gateway"),
        # whatever is asked for, this machine has to carry it
        environment={
            "DASK_GATEWAY__LIMITS__USER": '{"clusters": 1, "workers": 1}',
            # it shows wrong credentials again and again
            "DASK_GATEWAY__AUTH__THROTTLE__ENABLED": "false",
        },
    )
    async with LocalGateway(settings) as running:
        yield running


async def find_faults(url: str, directory: Path, *arguments: str, cluster: str = "") -> str:
    """What schemathesis has to complain about; empty for nothing. Its seed is fixed: a fault is found each time."""
    configuration = directory / "schemathesis.toml"
    configuration.write_text(f'[parameters]\ncluster = "{cluster}"\n' if cluster else "")
    process = await asyncio.create_subprocess_exec(
        *[PROGRAM, "--config-file", configuration, "run", f"{url}/openapi.json", "--url", url, "--checks", CHECKS],
        *["--seed", "1", "--max-examples", "40", "--continue-on-failure", "--request-timeout", "60"],
        *["--suppress-health-check", "all", "--warnings", "off", "--no-color", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        cwd=directory,
    )
    output, _ = await process.communicate()
    text = output.decode()
    return "" if process.returncode == 0 and "No issues found" in text else text


async def test_auth_answers_as_its_document_says(gateway: LocalGateway, tmp_path: Path) -> None:
    assert not await find_faults(f"http://127.0.0.1:{gateway.port_of('auth')}", tmp_path)


@pytest.mark.parametrize("user", ["", "alice"])
async def test_the_api_answers_as_its_document_says_about_clusters_that_are_not_there(
    gateway: LocalGateway, tmp_path: Path, user: str
) -> None:
    credentials = ("--auth", f"{user}:{PASSWORD}") if user else ()
    assert not await find_faults(f"http://127.0.0.1:{gateway.port_of('api')}", tmp_path, *credentials)


async def test_the_api_answers_as_its_document_says_about_a_cluster(gateway: LocalGateway, tmp_path: Path) -> None:
    credentials = BasicAuth("bob", PASSWORD)
    async with (
        Gateway(gateway.address, auth=credentials, asynchronous=True) as client,
        client.new_cluster(shutdown_on_close=True) as cluster,
    ):
        url = f"http://127.0.0.1:{gateway.port_of('api')}"
        # it is to be there until the end
        arguments = ("--auth", f"bob:{PASSWORD}", "--exclude-method", "DELETE")
        assert not await find_faults(url, tmp_path, *arguments, cluster=cluster.name)
