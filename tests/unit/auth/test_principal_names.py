"""From Kerberos principals to user names."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway_auth.authenticators.kerberos.principal_names import parse_rules, user_name

REALMS = ("R.ORG",)


@pytest.mark.parametrize(
    ("rules", "principal", "name"),
    [
        ([], "alice@R.ORG", "alice"),
        ([], "alice/admin@R.ORG", "alice/admin"),
        ([], "alice@OTHER", None),
        ([], "alice", None),
        (["DEFAULT"], "alice@R.ORG", "alice"),
        (["DEFAULT"], "alice/admin@R.ORG", None),
        (["RULE:[1:$1]"], "alice@OTHER", "alice"),
        (["RULE:[1:$1@$0](.*@OTHER)s/@.*//"], "alice@OTHER", "alice"),
        (["RULE:[1:$1@$0](.*@OTHER)s/@.*//"], "alice@R.ORG", None),
        (["RULE:[1:$1@$0](.*@OTHER)s/@/ at /"], "alice@OTHER", "alice at OTHER"),
        (["RULE:[2:$1.$2]s/a/b/"], "aa/a@X", "ba.a"),
        (["RULE:[2:$1.$2]s/a/b/g"], "aa/a@X", "bb.b"),
        (["RULE:[1:x$9$1]"], "a@X", "xa"),
        (["RULE:[1:$1](bob)", "DEFAULT"], "alice@R.ORG", "alice"),
        (["RULE:[1:$1](.*)s/.*//"], "alice@R.ORG", None),
        ([], "a\\@b\\/c@R.ORG", "a@b/c"),
    ],
)
def test_the_first_rule_that_fits_counts(rules: list[str], principal: str, name: str | None) -> None:
    assert user_name(principal, parse_rules(rules), REALMS) == name


@pytest.mark.parametrize(
    "rule", ["", "default", "RULE:", "RULE:[0:$1]", "RULE:[1:$1](()", "RULE:[1:$1]s/(/x/", "RULE:[1:$1]x"]
)
def test_what_is_no_rule_is_an_error_that_names_it(rule: str) -> None:
    with pytest.raises(ValueError, match="is no rule"):
        parse_rules([rule])


@given(st.text(max_size=40))
def test_nobody_of_a_foreign_realm_gets_in_without_a_rule(principal: str) -> None:
    name = user_name(principal, (), REALMS)
    assert name is None or principal.endswith("@R.ORG")


@given(st.text(alphabet="ab/@\\", max_size=12))
def test_any_principal_is_read(principal: str) -> None:
    user_name(f"{principal}@R.ORG", parse_rules(["RULE:[1:$1@$0]", "RULE:[2:$2/$1]", "DEFAULT"]), REALMS)
