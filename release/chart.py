"""The packaged chart, the same bytes for the same sources."""

import gzip
import io
import tarfile
import tempfile
from pathlib import Path

import helm_python

from release.places import CHART


def build_chart(directory: Path, epoch: int) -> Path:
    """Package the chart as Helm does, into a directory. `epoch` is the time of its files, in seconds since 1970.

    Helm decides what belongs to a chart, and notes when it packaged it: that alone is replaced. Raises HelmError.
    """
    with tempfile.TemporaryDirectory() as temporary:
        packaged = Path(helm_python.package(CHART, destination=temporary))
        plain = _with_time(packaged, epoch)
        chart = directory / packaged.name
    chart.write_bytes(gzip.compress(plain, mtime=epoch))
    return chart


def _with_time(archive: Path, epoch: int) -> bytes:
    """The files of an archive, sorted, all of one time and nobody's."""
    plain = io.BytesIO()
    with (
        tarfile.open(archive) as packaged,
        tarfile.open(fileobj=plain, mode="w", format=tarfile.USTAR_FORMAT) as target,
    ):
        for member in sorted(packaged.getmembers(), key=lambda member: member.name):
            member.mtime = epoch
            member.pax_headers = {}
            target.addfile(member, packaged.extractfile(member))
    return plain.getvalue()
