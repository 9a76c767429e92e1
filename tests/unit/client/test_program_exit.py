"""Programs that end, or are ended, with a cluster in their hands."""

import asyncio
import signal
import sys

import pytest

from tests.kit.mini_gateway import MiniGateway, cluster_record
from tests.kit.tls import make_key_pair
from tests.kit.waiting import until

NAME = "ns.a"
GET = ("GET", f"/api/v1/clusters/{NAME}")
DELETE = ("DELETE", f"/api/v1/clusters/{NAME}")
#: Where tests run in the background of a shell, SIGINT is ignored, by whatever they start, too.
PROGRAM = """
import signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)
from dask_gateway import GatewayCluster
cluster = GatewayCluster(sys.argv[1], auth="basic")
print(cluster.status)
"""


#: The program has come to its end by the time that the request to stop the cluster is sent.
SLOW_TO_STOP = """
import asyncio
from dask_gateway import Gateway
stop = Gateway._stop_cluster
async def stop_later(*args):
    await asyncio.sleep(1)
    await stop(*args)
Gateway._stop_cluster = stop_later
"""


async def start_program(api: MiniGateway, before: str = "", **settings: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", before + PROGRAM, api.url),
        env={"DASK_DISTRIBUTED__COMM__TIMEOUTS__CONNECT": "200ms", **settings},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )


def requests(api: MiniGateway) -> list[tuple[str, str]]:
    return [(exchange.method, exchange.path) for exchange in api.exchanges]


async def test_a_program_that_just_ends_stops_its_cluster(gateway_api: MiniGateway) -> None:
    key, certificate = make_key_pair()
    gateway_api.new_cluster = cluster_record(NAME, tls_key=key, tls_cert=certificate)
    process = await start_program(gateway_api)
    out, err = await asyncio.wait_for(process.communicate(), 30)
    assert (process.returncode, out) == (0, b"running\n"), err.decode()
    assert requests(gateway_api)[-1] == DELETE


@pytest.mark.parametrize("before", ["", SLOW_TO_STOP])
async def test_ctrl_c_during_the_start_stops_the_cluster(gateway_api: MiniGateway, before: str) -> None:
    gateway_api.new_cluster = cluster_record(NAME, "PENDING")
    process = await start_program(gateway_api, before)
    await until(lambda: GET in requests(gateway_api), 30)
    process.send_signal(signal.SIGINT)
    _, err = await asyncio.wait_for(process.communicate(), 30)
    assert b"KeyboardInterrupt" in err
    assert requests(gateway_api).count(DELETE) == 1
