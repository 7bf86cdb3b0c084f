"""The list of phrases to avoid is applied to text as it is wrapped in prose and in comments."""

import pytest
from tools.wording import DICTIONARY, found, phrases

AVOIDED = {"once more": "again"}


@pytest.mark.parametrize(
    "text",
    [
        "Read it once more.",
        "Once More it runs.",
        "Read it once\nmore.",
        "    # Read it once\n    # more.\n",
        "// Read it once\n// more.\n",
    ],
)
def test_a_phrase_is_found(text: str) -> None:
    assert [(phrase, better) for _, phrase, better in found(text, AVOIDED)] == [("once more", "again")]


@pytest.mark.parametrize("text", ["Moored once moreover.", "Not once. More of it.", "once #more"])
def test_another_phrase_is_not(text: str) -> None:
    assert not list(found(text, AVOIDED))


def test_the_line_is_that_of_the_first_word() -> None:
    assert [line for line, *_ in found("one\ntwo once\nmore\n", AVOIDED)] == [2]


def test_the_list_has_phrases_and_their_replacements() -> None:
    avoided = phrases(DICTIONARY.read_text())
    assert avoided
    assert all(avoided.values())
