"""Bills of materials: what each image holds of Python's packages, by its pins, as CycloneDX.

What it holds of Debian's is known to the engine that builds it; docs/releasing.md says where that is kept.
"""

import os
import subprocess
import sys
from pathlib import Path

from release.places import IMAGES, ROOT


def build_sboms(directory: Path, epoch: int) -> None:
    """Write one for each image. `epoch` is their time, in seconds since 1970."""
    environment = {**os.environ, "SOURCE_DATE_EPOCH": str(epoch)}
    for image, project in IMAGES.items():
        command: list[str | Path] = [
            *(sys.executable, "-m", "cyclonedx_py", "requirements", ROOT / f"requirements/images/{image}.txt"),
            *("--pyproject", project / "pyproject.toml", "--output-reproducible", "--validate"),
            *("-o", directory / f"image-{image}.cdx.json"),
        ]
        subprocess.run(command, env=environment, check=True)
