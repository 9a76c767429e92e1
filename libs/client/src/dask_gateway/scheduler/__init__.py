"""What a cluster's scheduler runs for its gateway, loaded by :mod:`dask_gateway.scheduler_preload`.

It imports nothing that distributed has not imported anyway (tornado, click), for every millisecond here is one that
a user waits for a cluster.
"""
