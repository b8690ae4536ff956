"""The checker cries no wolf: random right layers, models and plain code are right, and random wrong rules are found."""

import pytest
from random_right import alarm

EACH = 8  # draws of a test


@pytest.mark.parametrize("first", range(0, 40, EACH))
def test_what_is_right_is_called_right_whatever_it_is(first):
    assert_none(first, False)


@pytest.mark.parametrize("first", range(0, 40, EACH))
def test_a_wrong_rule_in_random_code_is_found(first):
    assert_none(first, True)


@pytest.mark.slow
@pytest.mark.parametrize("wrong", [False, True])
@pytest.mark.parametrize("first", range(40, 440, EACH))
def test_more_of_the_same(first, wrong):
    assert_none(first, wrong)


def assert_none(first, wrong):
    found = [alarm((0, k), wrong, slow=float("inf")) for k in range(first, first + EACH)]  # machines differ in speed
    assert not [(name, what) for name, what in found if what]
