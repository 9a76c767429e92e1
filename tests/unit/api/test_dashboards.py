"""Addresses, cookies and challenges of dashboards."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway_api.browsers import inert, native
from gateway_api.client_address import client_address
from gateway_api.cookies import cookie_value, login_cookie_name, without_ours
from gateway_api.dashboards.visit import Places

PLACES = Places("/gw")


@pytest.mark.parametrize("tail", ["", "/status?x=1", "?x", "/b/", "/x?next=/../y", "/..x"])
def test_users_are_sent_back_to_the_pages_of_their_cluster(tail: str) -> None:
    assert PLACES.is_below(f"/gw/clusters/n.a{tail}", "n.a")


@pytest.mark.parametrize(
    "uri",
    [
        "",
        "/",
        "//evil.example/gw/clusters/n.a/",
        "https://evil.example/gw/clusters/n.a/",
        "/gw/clusters/n.ab/status",
        "/gw/clusters/n.b/status",
        "/gw/clusters/n.a/../n.b/status",
        "/gw/clusters/n.a/..",
        "/gw/clusters/n.a/%2E./n.b/status",
        "/gw/clusters/n.a/x/%2e%2E?y",
        "/gw/clusters/n.a/\\evil",
        "/gw/clusters/n.a/\r\nSet-Cookie: x",
        "/gw/clusters/n.a/é",
        "/clusters/n.a/status",
    ],
)
def test_and_to_nowhere_else(uri: str) -> None:
    assert not PLACES.is_below(uri, "n.a")


@given(st.text(max_size=30))
def test_an_address_that_is_below_is_on_this_host(tail: str) -> None:
    if PLACES.is_below(f"/gw/clusters/n.a{tail}", "n.a"):
        assert tail == "" or tail[0] in "/?"
        assert not set(tail) & set("\r\n\\ \t")


def test_the_users_program_sees_its_own_cookies() -> None:
    ours = "dask-gateway-session=1; dask-gateway-dashboard=2; dask-gateway-login-abc=3"
    assert without_ours(f"a=1; {ours};b=2 ;; c") == "a=1; b=2; c"
    assert without_ours(ours) == ""


@given(st.text(max_size=40), st.text(max_size=10))
def test_any_cookie_header_is_read(cookies: str, state: str) -> None:
    name = login_cookie_name(state)
    assert name.isascii()
    assert not set(name) & set("=; ,\t\r\n")
    assert cookie_value(f"{cookies.replace(name, '')}; {name}=v", name) == "v"


def test_challenges_are_such_that_browsers_act_on_them_or_not() -> None:
    asked = ("Basic", "Negotiate", "jupyterhub", 'Bearer realm="x"')
    assert inert(asked) == ("x-Basic", "x-Negotiate", "jupyterhub", 'Bearer realm="x"')
    assert native(asked, "r") == ('Basic realm="r", charset="UTF-8"', "Negotiate", "jupyterhub", 'Bearer realm="x"')


@pytest.mark.parametrize(
    ("forwarded", "proxies", "address"),
    [
        ("", 1, "peer"),
        ("10.0.0.1", 0, "peer"),
        ("10.0.0.1", 1, "10.0.0.1"),
        ("forged, 10.0.0.1", 1, "10.0.0.1"),
        ("forged, 10.0.0.1, 10.0.0.2", 2, "10.0.0.1"),
        ("10.0.0.1", 3, "10.0.0.1"),
        (" , ,10.0.0.1 ,", 1, "10.0.0.1"),
    ],
)
def test_an_address_counts_as_far_as_our_proxies_vouch_for_it(forwarded: str, proxies: int, address: str) -> None:
    assert client_address({"x-forwarded-for": forwarded}, "peer", proxies) == address
