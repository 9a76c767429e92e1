"""What the gateway lets through as a label or an annotation is what Kubernetes takes, and the other way round."""

import asyncio
import random
from collections.abc import Callable

import pytest

from gateway_common.kubernetes_names import check_annotation_key, check_label_key, check_label_value
from gateway_common.resources import CONFIGMAPS
from tests.kit.kube import KubeHttp

LETTERS = "abzABZ09-_./@ \u00e9\n"
KNOWN = [
    *("", "a", "alice@example.com", "Alice", "a.b", "a/b", "a.b/c", "A.b/c", "a/B", "/a", "a/", "a/b/c", "-a", "a-"),
    *(
        "a" * 63,
        "a" * 64,
        "a/" + "b" * 63,
        "a/" + "b" * 64,
        "a." * 126 + "a/b",
        "a" * 253 + "/b",
        "a" * 254 + "/b",
        "a..b/c",
    ),
]


def texts() -> list[str]:
    chance = random.Random(1)
    drawn = ["".join(chance.choices(LETTERS, k=chance.randint(1, 6))) for _ in range(150)]
    # many of the ones above are wrong for several reasons: in these one place alone decides
    good = ["".join(chance.choices("aB0-_.", k=4)) for _ in range(50)]
    return [*KNOWN, *drawn, *good]


def is_allowed(check: Callable[[str], None], text: str) -> bool:
    try:
        check(text)
    except ValueError:
        return False
    return True


@pytest.mark.parametrize("part", ["labels", "annotations"])
async def test_keys(kube: KubeHttp, part: str) -> None:
    check = check_label_key if part == "labels" else check_annotation_key
    answers = await taken(kube, [{part: {text: "a"}} for text in texts()])
    allowed = [is_allowed(check, text) for text in texts()]
    assert dict(zip(texts(), answers, strict=True)) == dict(zip(texts(), allowed, strict=True))
    assert {True, False} == set(answers)


async def test_values_of_labels(kube: KubeHttp) -> None:
    answers = await taken(kube, [{"labels": {"a": text}} for text in texts()])
    allowed = [is_allowed(check_label_value, text) for text in texts()]
    assert dict(zip(texts(), answers, strict=True)) == dict(zip(texts(), allowed, strict=True))
    assert {True, False} == set(answers)


async def taken(kube: KubeHttp, metadata: list[dict[str, dict[str, str]]]) -> list[bool]:
    """Whether Kubernetes would take objects with these metadata."""
    places = asyncio.Semaphore(20)

    async def ask(number: int, more: dict[str, dict[str, str]]) -> bool:
        manifest = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": f"a{number}", **more}}
        async with places:
            answer = await kube.client.post(kube.path(CONFIGMAPS), json=manifest, params={"dryRun": "All"})
        assert answer.status_code in (201, 422), answer.text
        return answer.status_code == 201

    return await asyncio.gather(*(ask(number, more) for number, more in enumerate(metadata)))
