"""Container images, which here stand for Python environments of this machine."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
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


@dataclass(frozen=True, slots=True)
class Image:
    """What stands for an image: the directory of a virtual environment, and ENTRYPOINT and CMD as in a Dockerfile."""

    environment: Path
    entrypoint: tuple[str, ...] = ()
    command: tuple[str, ...] = ()


class Images:
    """What stands for which image.

    Parameters
    ----------
    images
        From an image's name to what stands for it; a directory is an environment without an entry point. A name with a
        tag or digest means that image only, one without means all of its tags, one that ends in "/" all images below
        it. The longest match wins.
    """

    def __init__(self, images: Mapping[str, Path | Image]) -> None:
        self._images = {name: Image(found) if isinstance(found, Path) else found for name, found in images.items()}

    def find(self, image: str) -> Image:
        """What stands for an image; raises ImageUnavailable and InvalidImageName."""
        if not _REFERENCE.fullmatch(image):
            why = f'couldn\'t parse image name "{image}": invalid reference format'
            raise InvalidImageName(f'Failed to apply default image tag "{image}": {why}')
        matches = [name for name in self._images if _matches(name, image)]
        if not matches:
            known = ", ".join(sorted(self._images)) or "none"
            raise ImageUnavailable(
                f'failed to pull image "{image}": no Python environment of this machine stands for it (known: {known})'
            )
        found = self._images[max(matches, key=len)]
        if not (found.environment / "bin").is_dir():
            raise ImageUnavailable(f'failed to pull image "{image}": {found.environment} is not a Python environment')
        return found


def _matches(name: str, image: str) -> bool:
    if image == name or (name.endswith("/") and image.startswith(name)):
        return True
    return image.startswith((f"{name}:", f"{name}@"))
