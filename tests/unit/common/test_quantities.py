"""Amounts of memory and CPU, as people write them."""

import contextlib
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gateway_common.quantities import MOST_BYTES, format_memory, millicores, parse_memory

FACTORS = {"": 1, "K": 2**10, "M": 2**20, "G": 2**30, "T": 2**40}
SUFFIXES = st.sampled_from(sorted(FACTORS)).flatmap(lambda s: st.sampled_from([s, s.lower()]))
SPACES = st.sampled_from(["", " ", "  ", "\t"])
FITTING = st.integers(0, 2**22)


@given(FITTING, SUFFIXES, SPACES, SPACES, SPACES)
def test_a_whole_number_and_a_suffix_are_exact_whatever_the_spaces_and_the_case(
    number: int, suffix: str, before: str, between: str, after: str
) -> None:
    assert parse_memory(f"{before}{number}{between}{suffix}{after}") == number * FACTORS[suffix.upper()]


@given(st.integers(0, MOST_BYTES))
def test_bytes_are_taken_as_they_are(size: int) -> None:
    assert parse_memory(size) == parse_memory(str(size)) == parse_memory(f"{size}B") == size


@given(st.decimals(0, 2**20, places=3), SUFFIXES)
def test_a_fraction_is_right_to_the_byte(number: Any, suffix: str) -> None:
    exact = Fraction(number) * FACTORS[suffix.upper()]
    assert abs(parse_memory(f"{number} {suffix}") - exact) < 1 + exact / 2**50


@given(FITTING, st.sampled_from("KMGT"))
def test_the_suffixes_may_be_written_as_units(number: int, suffix: str) -> None:
    assert (
        parse_memory(f"{number}{suffix}iB") == parse_memory(f"{number}{suffix}B") == parse_memory(f"{number}{suffix}")
    )


@example("1e9")
@example("٣")
@example("1" * 5000)
@example("." + "1" * 5000)
@example("9" * 400 + ".5T")
@example("- 1")
@given(st.text() | st.from_regex(r"[-+]?[\d.]+\s*[A-Za-z]*"))
def test_text_is_an_amount_or_a_value_error(text: str) -> None:
    with contextlib.suppress(ValueError):
        assert 0 <= parse_memory(text) <= MOST_BYTES


@pytest.mark.parametrize(
    "value", ["", " ", "G", "2 X", "2 G G", "-1G", "1,5G", "1 .5G", "0x10", "e3", "1eG", "nan", "inf", "2E", "1_000"]
)
def test_what_is_no_amount_is_shown(value: str) -> None:
    with pytest.raises(ValueError, match="suffixes K, M, G, T") as raised:
        parse_memory(value)
    assert repr(value) in str(raised.value)


@given(st.floats(0, 2**20), st.sampled_from("KMG"))
def test_an_amount_is_read_as_python_writes_it(number: float, suffix: str) -> None:
    """Handlers paste floats into text, and small ones are written as `1e-05`."""
    assert parse_memory(f"{number}{suffix}") == int(number * FACTORS[suffix])


@pytest.mark.parametrize("value", [True, False, float("nan"), float("inf"), -float("inf"), 2**63, 1e30, "8388608T"])
def test_what_no_amount_can_be_is_refused(value: object) -> None:
    with pytest.raises(ValueError, match="expected"):
        parse_memory(value)


@given(st.floats(0, 2**62))
def test_a_fraction_of_a_byte_does_not_count(value: float) -> None:
    assert parse_memory(value) == int(value)


@given(st.none() | st.lists(st.integers()) | st.dictionaries(st.text(), st.integers()))
def test_what_is_neither_number_nor_text_is_left_to_others(value: object) -> None:
    assert parse_memory(value) is value


@pytest.mark.parametrize(
    ("size", "text"),
    [(0, "0 B"), (1023, "1023 B"), (1024, "1.00 KiB"), (3 * 2**29, "1.50 GiB"), (2**50, "1024.00 TiB")],
)
def test_memory_is_shown_in_the_largest_unit_that_fits(size: int, text: str) -> None:
    assert format_memory(size) == text


@given(st.integers(2**10, 2**62))
def test_what_is_shown_can_be_read_again(size: int) -> None:
    assert abs(parse_memory(format_memory(size)) - size) <= size * 0.005 + 1


@given(st.integers(1, 10**9))
def test_millicores_are_exact(amount: int) -> None:
    assert millicores(amount / 1000) == amount


@pytest.mark.parametrize("cores", [5e-324, 0.0001, 0.0004])
def test_nothing_is_less_than_a_millicore(cores: float) -> None:
    assert millicores(cores) == 1
