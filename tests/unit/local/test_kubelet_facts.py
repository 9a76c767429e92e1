"""Addresses, images and pauses."""

from pathlib import Path

import pytest

from gateway_local.kubelet.addresses import AddressRange, NoAddressLeft
from gateway_local.kubelet.images import Image, Images, ImageUnavailable
from gateway_local.kubelet.restarts import BackOff, restarts
from gateway_local.quantities import parse_quantity


def test_two_kubelets_on_one_machine_have_different_addresses() -> None:
    first = AddressRange.claim([3, 4])
    second = AddressRange.claim([3, 4])
    try:
        assert (first.node_address, second.node_address) == ("127.3.0.1", "127.4.0.1")
        with pytest.raises(NoAddressLeft):
            AddressRange.claim([3, 4])
    finally:
        first.close()
        second.close()
    again = AddressRange.claim([3, 4])
    assert again.node_address == "127.3.0.1"
    again.close()


def test_no_two_pods_have_the_same_address_and_ended_ones_lend_theirs_last() -> None:
    addresses = AddressRange.claim([5])
    try:
        first = [addresses.allocate() for _ in range(300)]
        assert len(set(first)) == 300
        assert addresses.node_address not in first
        assert not any(address.endswith((".0", ".255")) for address in first)
        addresses.release(first[0])
        assert addresses.allocate() not in first
    finally:
        addresses.close()


def test_an_exhausted_range_says_so_and_takes_released_addresses() -> None:
    addresses = AddressRange.claim([6])
    try:
        everything = [addresses.allocate() for _ in range(256 * 254 - 1)]
        with pytest.raises(NoAddressLeft):
            addresses.allocate()
        addresses.release(everything[7])
        assert addresses.allocate() == everything[7]
    finally:
        addresses.close()


@pytest.mark.parametrize(
    ("image", "environment"),
    [
        ("daskgateway/user", "any"),
        ("daskgateway/user:1.0", "any"),
        ("daskgateway/user@sha256:abc", "any"),
        ("daskgateway/user:old", "old"),
        ("team/anything:2", "team"),
    ],
)
def test_the_longest_name_decides_which_environment_an_image_is(tmp_path: Path, image: str, environment: str) -> None:
    names = {"daskgateway/user": "any", "daskgateway/user:old": "old", "team/": "team"}
    for directory in names.values():
        (tmp_path / directory / "bin").mkdir(parents=True)
    images = Images({name: tmp_path / directory for name, directory in names.items()})
    assert images.find(image) == Image(tmp_path / environment)


@pytest.mark.parametrize("image", ["daskgateway/users:1", "other", "daskgateway/user-2"])
def test_an_unknown_image_is_refused_with_what_is_known(tmp_path: Path, image: str) -> None:
    with pytest.raises(ImageUnavailable, match=r"known: daskgateway/user\)"):
        Images({"daskgateway/user": tmp_path}).find(image)


def test_a_directory_without_programs_is_no_environment(tmp_path: Path) -> None:
    with pytest.raises(ImageUnavailable, match="is not a Python environment"):
        Images({"x": tmp_path}).find("x")


@pytest.mark.parametrize(
    ("policy", "exit_code", "expected"),
    [
        ("Always", 0, True),
        ("Always", 1, True),
        ("OnFailure", 0, False),
        ("OnFailure", 1, True),
        ("Never", 0, False),
        ("Never", 1, False),
    ],
)
def test_the_policy_decides_about_a_restart(policy: str, exit_code: int, expected: bool) -> None:
    assert restarts(policy, exit_code) is expected


def test_pauses_double_up_to_five_minutes_and_begin_anew_after_a_long_run() -> None:
    back_off = BackOff()
    assert [back_off.take() for _ in range(8)] == [0, 10, 20, 40, 80, 160, 300, 300]
    assert back_off.take(ran_seconds=601) == 0
    assert back_off.take() == 10


@pytest.mark.parametrize(
    ("text", "value"),
    [("1", 1), ("500m", 0.5), ("2Gi", 2 * 1024**3), ("2G", 2 * 10**9), ("1e3", 1000), ("0.1", 0.1), (3, 3)],
)
def test_quantities_are_in_base_units(text: str | int, value: float) -> None:
    assert float(parse_quantity(text)) == value


@pytest.mark.parametrize("text", ["", "much", "1 G", "1.2.3", "Gi", "--1"])
def test_what_is_no_quantity_is_named(text: str) -> None:
    with pytest.raises(ValueError, match="is not a quantity"):
        parse_quantity(text)
