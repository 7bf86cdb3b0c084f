"""Fields of a message are replaced, however deep, and nothing else of it is touched."""

import pytest
from benchmarks.protobuf import replaced, varint


def field(number: int, content: bytes) -> bytes:
    return varint(number << 3 | 2) + varint(len(content)) + content


NUMBER = varint(4 << 3) + varint(300)
FIXED = varint(5 << 3 | 1) + b"12345678" + varint(6 << 3 | 5) + b"1234"


def test_a_field_is_replaced_where_it_is_and_lengths_follow() -> None:
    message = NUMBER + field(1, b"old") + FIXED + field(20, b"kept")
    assert replaced(message, {1: b"x" * 200}) == NUMBER + field(1, b"x" * 200) + FIXED + field(20, b"kept")


def test_a_field_of_a_field_is_replaced_and_of_repeated_ones_the_first() -> None:
    message = field(3, field(1, b"a") + NUMBER) + field(3, field(1, b"b"))
    assert replaced(message, {3: {1: b"longer"}}) == field(3, field(1, b"longer") + NUMBER) + field(3, field(1, b"b"))


def test_a_field_that_is_not_there_is_an_error() -> None:
    with pytest.raises(KeyError):
        replaced(field(1, b"a"), {2: b"b"})
    with pytest.raises(ValueError, match="wire type 3"):
        replaced(varint(1 << 3 | 3), {1: b"a"})
