"""Container images, which here stand for Python environments of this machine."""

import re
from collections.abc import Mapping
from pathlib import Path

_PATH = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
#: As github.com/distribution/reference has it: an optional registry, a path in lower case, a tag, a digest.
_REFERENCE = re.compile(
    rf"(?:[a-zA-Z0-9][a-zA-Z0-9.-]*(?::[0-9]+)?/)?{_PATH}(?:/{_PATH})*(?::\w[\w.-]{{0,127}})?(?:@[a-z0-9]+:[0-9a-f]+)?"
)


class InvalidImageName(Exception):
    """No image can have this name. The text is what the pod's status says."""


class ImageUnavailable(Exception):
    """No environment of this machine stands for the image. The text is what the pod's status says."""


class Images:
    """Which environment stands for which image.

    Parameters
    ----------
    environments
        From an image's name to the directory of a virtual environment. A name with a tag or digest means that image
        only, one without means all of its tags, one that ends in "/" all images below it. The longest match wins.
    """

    def __init__(self, environments: Mapping[str, Path]) -> None:
        self._environments = dict(environments)

    def find(self, image: str) -> Path:
        """The environment's directory; raises ImageUnavailable and InvalidImageName."""
        if not _REFERENCE.fullmatch(image):
            why = f'couldn\'t parse image name "{image}": invalid reference format'
            raise InvalidImageName(f'Failed to apply default image tag "{image}": {why}')
        matches = [name for name in self._environments if _matches(name, image)]
        if not matches:
            known = ", ".join(sorted(self._environments)) or "none"
            raise ImageUnavailable(
                f'failed to pull image "{image}": no Python environment of this machine stands for it (known: {known})'
            )
        directory = self._environments[max(matches, key=len)]
        if not (directory / "bin").is_dir():
            raise ImageUnavailable(f'failed to pull image "{image}": {directory} is not a Python environment')
        return directory


def _matches(name: str, image: str) -> bool:
    if image == name or (name.endswith("/") and image.startswith(name)):
        return True
    return image.startswith((f"{name}:", f"{name}@"))
