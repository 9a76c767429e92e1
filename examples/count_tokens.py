"""A first look at the gateway: get a Dask cluster, compute on it, scale it, give it back.

Run it by `make demo`, or against any gateway:

    DASK_GATEWAY__ADDRESS=http://127.0.0.1:8000 python examples/count_tokens.py

It counts the tokens of every source file of Python's standard library, and checks the total by a plain loop.
"""

import sysconfig
import tokenize
from pathlib import Path

import dask.bag
from distributed import progress

from dask_gateway import Gateway


def count_tokens(path: str) -> int:
    """The number of Python tokens in a file; a file that is no valid Python (there are some) counts none."""
    try:
        with tokenize.open(path) as source:
            return sum(1 for _ in tokenize.generate_tokens(source.readline))
    except (SyntaxError, UnicodeDecodeError):
        return 0


def standard_library() -> list[str]:
    """The source files of the standard library; other people's packages are left out."""
    root = Path(sysconfig.get_path("stdlib"))
    return sorted(str(path) for path in root.rglob("*.py") if "site-packages" not in path.parts)


def main() -> None:
    gateway = Gateway()  # the address comes from the configuration, here the environment
    print(f"connected to {gateway.address}")

    options = gateway.cluster_options()
    options.worker_cores = 1
    print(f"the options that this gateway offers, and our choice: {options}")

    with gateway.new_cluster(options) as cluster, cluster.get_client() as client:
        print(f"a cluster of our own: {cluster.name}\nits dashboard: {cluster.dashboard_link}")

        cluster.scale(2)
        client.wait_for_workers(2, timeout=120)
        print("two workers are there; counting tokens")

        files = standard_library()
        counts = dask.bag.from_sequence(files, npartitions=40).map(count_tokens)
        total = client.compute(counts.sum())
        progress(total, notebook=False)
        print(f"\nDask counted {total.result():,} tokens in {len(files):,} files")

        expected = sum(map(count_tokens, files))
        print(f"a plain loop counted {expected:,}")
        if total.result() != expected:
            raise SystemExit("the two differ: this should never happen")

        cluster.adapt(minimum=0, maximum=2)
        print("from here on the cluster follows its load, between none and two workers")
        print(f"the sum of 1 to 100, on an adaptive cluster: {client.submit(sum, range(1, 101)).result():,}")
    print("the cluster is given back")


if __name__ == "__main__":
    main()
