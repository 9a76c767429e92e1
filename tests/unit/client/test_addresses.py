"""Where a client looks for its gateway."""

import dask
import pytest

from dask_gateway.addresses import resolve_addresses


def resolve(address=None, proxy_address=None, public_address=None):
    return resolve_addresses(address, proxy_address, public_address)


def test_no_address_anywhere_is_an_error() -> None:
    with pytest.raises(ValueError, match="No dask-gateway address provided or found in configuration"):
        resolve()


@pytest.mark.parametrize("address", ["gateway.example.org", "localhost:8000", "https://", ""])
def test_an_address_that_is_no_url_is_an_error(address: str) -> None:
    with pytest.raises(ValueError, match="https://host"):
        resolve(address)


def test_trailing_slashes_are_dropped() -> None:
    addresses = resolve("https://gw/prefix/", public_address="https://public/gw/")
    assert addresses.api == "https://gw/prefix"
    assert addresses.public == "https://public/gw"


@pytest.mark.parametrize(
    ("address", "proxy", "expected"),
    [
        ("http://gw", None, "gateway://gw:80"),
        ("https://gw/prefix", None, "gateway://gw:443"),
        ("http://gw:8000", None, "gateway://gw:8000"),
        ("other://gw", None, "gateway://gw:8786"),
        ("http://gw:8000", 8786, "gateway://gw:8786"),
        ("http://gw:8000", "8786", "gateway://gw:8786"),
        ("http://gw:8000", "proxy:1234", "gateway://proxy:1234"),
        ("http://gw:8000", "tls://proxy:1234", "gateway://proxy:1234"),
        ("http://gw:8000", "gateway://proxy:1234", "gateway://proxy:1234"),
        ("http://gw:8000", "proxy.example.org", "gateway://proxy.example.org:8786"),
        ("http://[::1]:8000", None, "gateway://[::1]:8000"),
        ("http://[::1]:8000", 8786, "gateway://[::1]:8786"),
        ("http://gw", "[fd00::2]:1234", "gateway://[fd00::2]:1234"),
    ],
)
def test_schedulers_are_reached_through(address: str, proxy: str | int | None, expected: str) -> None:
    assert resolve(address, proxy).proxy == expected


def test_a_proxy_address_without_a_host_is_an_error() -> None:
    with pytest.raises(ValueError, match="proxy_address must be a port or"):
        resolve("http://gw", "tls://")


def test_the_public_address_is_the_address_unless_given() -> None:
    assert resolve("http://gw").public == "http://gw"
    assert resolve("http://gw", public_address="/services/dask-gateway").public == "/services/dask-gateway"


def test_configured_addresses_are_templates_over_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("THE_HOST", "gw.example.org")
    monkeypatch.setenv("THE_PORT", "8786")
    configured = {
        "gateway.address": "https://{THE_HOST}/gw/",
        "gateway.proxy-address": "{THE_PORT}",
        "gateway.public-address": "https://{THE_HOST}",
    }
    with dask.config.set(configured):
        addresses = resolve()
    assert addresses.api == "https://gw.example.org/gw"
    assert addresses.proxy == "gateway://gw.example.org:8786"
    assert addresses.public == "https://gw.example.org"


def test_arguments_win_over_the_configuration_and_are_no_templates() -> None:
    with dask.config.set({"gateway.address": "http://configured"}):
        assert resolve("http://{given}").api == "http://{given}"


def test_a_template_with_an_unknown_variable_names_it() -> None:
    configured = {"gateway.address": "https://{NO_SUCH_VARIABLE}"}
    with dask.config.set(configured), pytest.raises(ValueError, match="'NO_SUCH_VARIABLE', which is not set"):
        resolve()
