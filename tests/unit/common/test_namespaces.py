"""Namespaces by template: valid, stable, and never shared by accident."""

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from gateway_common.errors import InvalidConfig
from gateway_common.kubernetes_names import is_dns_label
from gateway_common.namespaces import Namespaces, check_template, format_namespace, safe_label

relaxed = settings(deadline=None)

#: Names as authentication gives them, and such as somebody would invent who wants another's namespace.
plain = st.from_regex(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?", fullmatch=True)
names = st.one_of(
    st.text(min_size=1, max_size=80),
    st.text(alphabet="ab-.@A é", min_size=1, max_size=8),
    plain,
    st.builds(safe_label, st.text(min_size=1, max_size=8)),
)


@relaxed
@given(name=names, longest=st.integers(23, 63))
@example(name="", longest=63)
@example(name="-", longest=23)
@example(name="\ud800", longest=63)
def test_any_name_becomes_a_valid_label(name: str, longest: int) -> None:
    label = safe_label(name, longest)

    assert is_dns_label(label)
    assert len(label) <= longest


@relaxed
@given(name=plain)
def test_a_name_that_is_a_label_stays_as_it_is_unless_it_could_be_anothers(name: str) -> None:
    assert (safe_label(name) == name) is ("--" not in name)


@relaxed
@given(first=names, second=names, longest=st.integers(23, 63))
@example(first="Alice", second="alice", longest=63)
@example(first="a.b", second="a-b", longest=63)
@example(first="a.b", second=safe_label("a.b"), longest=63)
@example(first="a" * 63, second="a" * 62, longest=23)
def test_different_names_have_different_labels(first: str, second: str, longest: int) -> None:
    assert (safe_label(first, longest) == safe_label(second, longest)) is (first == second)


def test_what_is_left_of_a_name_can_be_read() -> None:
    assert safe_label("Jane.Doe@example.org") == "jane-doe-example-org--258389d44032248b32b8"


@pytest.mark.parametrize(
    ("template", "namespace"),
    [
        ("dask", "dask"),
        ("dask-{user}", "dask-alice"),
        ("{user}", "alice"),
        ("{user}-dask", "alice-dask"),
        ("dask-{group}", "dask-science"),
        ("{group}-{user}", "science-alice"),
    ],
)
def test_placeholders_stand_for_user_and_group(template: str, namespace: str) -> None:
    check_template(template)

    assert format_namespace(template, user="alice", group="science") == namespace


@relaxed
@given(
    template=st.sampled_from(["dask-{user}", "{group}-{user}", "d-{user}-of-{group}-x", "{user}-{user}"]),
    first=st.tuples(names, names),
    second=st.tuples(names, names),
)
@example(template="{group}-{user}", first=("b-c", "a"), second=("c", "a-b"))
@example(template="{group}-{user}", first=("c--" + "0" * 20, "a"), second=("c", "a--" + "0" * 20))
def test_users_share_a_namespace_only_if_the_template_says_so(
    template: str, first: tuple[str, str], second: tuple[str, str]
) -> None:
    one, other = (format_namespace(template, user=user, group=group) for user, group in (first, second))

    relevant = slice(0, 2 if "{group}" in template else 1)
    assert is_dns_label(one)
    assert (one == other) is (first[relevant] == second[relevant])


@pytest.mark.parametrize(
    ("template", "reason"),
    [
        ("dask-{team}", r"'dask-\{team\}' has \{team\} in it; \{user\} and \{group\} are known"),
        ("dask-{user.name}", "has {user.name} in it"),
        ("dask-{}", "has {} in it"),
        ("dask-{user", "can't be a namespace"),
        ("Dask-{user}", "can't be a namespace"),
        ("-{user}", "can't be a namespace"),
        ("{user}{group}", "a '-' must follow"),
        ("{user}x{group}", "a '-' must follow"),
        ("d" * 41 + "{user}", "is too long"),
        ("{user}-{group}-{user}", "is too long"),
    ],
)
def test_a_template_that_can_not_work_is_refused_whoever_asks(template: str, reason: str) -> None:
    with pytest.raises(InvalidConfig, match=reason):
        check_template(template)
    with pytest.raises(InvalidConfig, match=reason):
        format_namespace(template, user="alice", group="science")


def test_a_user_without_a_group_has_no_groups_namespace() -> None:
    with pytest.raises(InvalidConfig, match="you are in none of the groups that have one"):
        format_namespace("dask-{group}", user="alice")
    assert format_namespace("dask-{user}", user="alice") == "dask-alice"


#: The gateway's, one group's own, one of each group, and users' of three kinds.
TEMPLATES = ["dask-{user}", "dask-science-{user}", "{user}-{group}", "dask-{group}", "dask-admins"]
GROUPS = ["science", "Art & Craft"]
NAMESPACES = Namespaces(TEMPLATES, GROUPS, "dask-gateway")


@pytest.mark.parametrize(
    ("template", "user"),
    [
        ("{user}", "kube-system"),
        ("{user}", "default"),
        ("kube-{user}", "alice"),
        ("dask-{user}", "gateway"),
        ("dask-{user}", "admins"),
        ("dask-{user}", "science"),
        ("dask-{user}", "science-alice"),
    ],
)
def test_nobody_gets_a_namespace_of_others_by_being_called_like_it(template: str, user: str) -> None:
    usual = format_namespace(template, user=user)

    namespace = NAMESPACES.format(template, user=user)

    assert is_dns_label(namespace)
    assert namespace != usual
    assert namespace.startswith(f"{usual}--")


def test_usual_names_stay_as_they_are() -> None:
    assert NAMESPACES.format("dask-{user}", user="alice") == "dask-alice"
    assert NAMESPACES.format("dask-science-{user}", user="alice") == "dask-science-alice"
    assert NAMESPACES.format("dask-{group}", user="alice", group="science") == "dask-science"
    assert NAMESPACES.format("dask-admins", user="alice") == "dask-admins"


tricky = st.lists(st.sampled_from(["dask", "science", "admins", "a", "b"]), min_size=1, max_size=4).map("-".join)


@relaxed
@given(
    first=st.tuples(st.sampled_from(TEMPLATES[:3]), tricky | names, st.sampled_from(GROUPS)),
    second=st.tuples(st.sampled_from(TEMPLATES), tricky | names, st.sampled_from(GROUPS)),
)
def test_a_users_own_namespace_is_nobody_elses_whichever_template_theirs_is_of(
    first: tuple[str, str, str], second: tuple[str, str, str]
) -> None:
    one, other = (NAMESPACES.format(template, user=user, group=group) for template, user, group in (first, second))

    assert one not in {"dask-gateway", "default"}
    if first[1] != second[1] or first[0] != second[0]:
        assert one != other
