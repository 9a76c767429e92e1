"""From Kerberos principals to user names: MIT's `auth_to_local` rules (krb5.conf(5)). Pure.

    RULE:[n:string](regexp)s/pattern/replacement/g     DEFAULT

A rule is for principals of `n` components. `string` is what is looked at: `$0` is the realm, `$1` the first component.
`(regexp)` has to match all of it, where it is given; then the substitution makes the name.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

_RULE = re.compile(
    r"RULE:\[(?P<count>[0-9]):(?P<string>[^\]]*)\]"
    r"(?:\((?P<regexp>.*?)\)(?=s/|$))?"
    r"(?:s/(?P<pattern>(?:[^/\\]|\\.)*)/(?P<replacement>(?:[^/\\]|\\.)*)/(?P<flags>g?))?"
)
_PLAIN = re.compile(r"\\(.)", re.DOTALL)
_REFERENCE = re.compile(r"\$([0-9])")


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule; without `count` it is DEFAULT."""

    count: int = 0
    string: str = ""
    regexp: re.Pattern[str] | None = None
    pattern: re.Pattern[str] | None = None
    replacement: str = ""
    everywhere: bool = False


def parse_rules(texts: Sequence[str]) -> tuple[Rule, ...]:
    """Raises ValueError, which names the rule and says what was expected."""
    return tuple(map(_parse, texts))


def user_name(principal: str, rules: Sequence[Rule], local_realms: Sequence[str]) -> str | None:
    """The name of the first rule that fits, None where none does.

    DEFAULT, and no rules at all, mean what stands before the realm, for principals of one of the local realms.
    """
    components, realm = _split(principal)
    for rule in rules or (Rule(),):
        if not rule.count:
            if realm in local_realms and (rules == () or len(components) == 1):
                return "/".join(components)
        elif rule.count == len(components) and (name := _apply(rule, [realm, *components])):
            return name
    return None


def _apply(rule: Rule, parts: Sequence[str]) -> str:
    text = _REFERENCE.sub(lambda found: parts[int(found[1])] if int(found[1]) < len(parts) else "", rule.string)
    if rule.regexp is not None and not rule.regexp.fullmatch(text):
        return ""
    if rule.pattern is None:
        return text
    return rule.pattern.sub(lambda _: rule.replacement, text, count=0 if rule.everywhere else 1)


def _parse(text: str) -> Rule:
    if text == "DEFAULT":
        return Rule()
    found = _RULE.fullmatch(text)
    if found is None or found["count"] == "0":
        raise ValueError(f"{text!r} is no rule: expected DEFAULT or RULE:[n:string](regexp)s/pattern/replacement/")
    try:
        regexp = None if found["regexp"] is None else re.compile(found["regexp"])
        pattern = None if found["pattern"] is None else re.compile(found["pattern"])
    except re.error as error:
        raise ValueError(f"{text!r} is no rule: {error}") from error
    replacement = re.sub(r"\\(.)", r"\1", found["replacement"] or "")
    return Rule(int(found["count"]), found["string"], regexp, pattern, replacement, found["flags"] == "g")


def _split(principal: str) -> tuple[list[str], str]:
    """Components and realm; a backslash takes the meaning from the character after it."""
    rest: str | None
    rest, realm = _cut(principal, "@")
    components = []
    while rest is not None:
        component, rest = _cut(rest, "/")
        components.append(_PLAIN.sub(r"\1", component))
    return components, realm or ""


def _cut(text: str, sign: str) -> tuple[str, str | None]:
    """What is before and after the first sign that has its meaning."""
    found = re.match(rf"((?:[^\\{sign}]|\\.)*){sign}(.*)", text, re.DOTALL)
    return (found[1], found[2]) if found else (text, None)
