"""The list of phrases to avoid is applied to text as it is wrapped in prose and in comments."""

import pytest
from tools.wording import DICTIONARY, found, phrases

AVOIDED = {"is told": "knows"}


@pytest.mark.parametrize(
    "text",
    [
        "The caller is told of it.",
        "The caller Is Told of it.",
        "The caller is\ntold of it.",
        "    # The caller is\n    # told of it.\n",
        "// The caller is\n// told of it.\n",
    ],
)
def test_a_phrase_is_found(text: str) -> None:
    assert [(phrase, better) for _, phrase, better in found(text, AVOIDED)] == [("is told", "knows")]


@pytest.mark.parametrize("text", ["This is toldering.", "It is. Told so.", "It is #told"])
def test_another_phrase_is_not(text: str) -> None:
    assert not list(found(text, AVOIDED))


def test_the_line_is_that_of_the_first_word() -> None:
    assert [line for line, *_ in found("one\ntwo is\ntold\n", AVOIDED)] == [2]


def test_the_list_has_phrases_and_their_replacements() -> None:
    avoided = phrases(DICTIONARY.read_text())
    assert avoided
    assert all(avoided.values())
