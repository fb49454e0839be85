"""Octets into lines and prompts."""

import pytest

from modembank.at.reader import LineReader, Token, printable


def tokens(reader: LineReader, data: bytes, *, glued: bool = False, verbatim: bool = False) -> list[tuple[str, str]]:
    reader.push(data)
    found = []
    while (token := reader.next(glued=glued, verbatim=verbatim)) is not None:
        found.append((token[0].name, token[1]))
    return found


@pytest.mark.parametrize(
    "data", [b"a\r\nb\r\n", b"a\rb\r", b"a\nb\n", b"\r\r\na\r\r\n\r\nb\n\r", b"\0a\0\r\n\0b\r\0\n", b" a \r\n\tb\r"]
)
def test_lines(data: bytes) -> None:
    assert tokens(LineReader(100), data) == [("LINE", "a"), ("LINE", "b")]


def test_a_line_waits_for_its_end() -> None:
    reader = LineReader(100)
    assert tokens(reader, b"+CM") == []
    assert reader.buffered == 3
    assert tokens(reader, b"TI: 1") == []
    assert tokens(reader, b"\r") == [("LINE", "+CMTI: 1")]
    assert reader.buffered == 0
    assert tokens(reader, b"\n") == []


def test_a_prompt_waits_for_nothing() -> None:
    reader = LineReader(100)
    assert tokens(reader, b"\r\n>") == [("PROMPT", ">")]
    assert tokens(reader, b" RING\r\n") == [("LINE", "RING")]


def test_a_greater_than_inside_a_line_is_text_unless_a_prompt_is_wanted() -> None:
    assert tokens(LineReader(100), b"+X: 1> \r\n") == [("LINE", "+X: 1>")]
    assert tokens(LineReader(100), b"+X: 1> ", glued=True) == [("LINE", "+X: 1"), ("PROMPT", ">")]
    assert tokens(LineReader(100), b'+X: "a> b"\r\n', glued=True) == [("LINE", '+X: "a> b"')]
    assert tokens(LineReader(100), b"+X: 1>", glued=True) == []


def test_in_a_text_a_greater_than_starts_a_line() -> None:
    assert tokens(LineReader(100), b"> next\r\n", verbatim=True) == [("LINE", "> next")]


@pytest.mark.parametrize("size", [1, 3, 50, 500])
def test_an_overlong_line_is_told_once_and_skipped(size: int) -> None:
    data = b"a\r\n" + b"x" * 300 + b"\r\nb\r\n" + b"y" * 101 + b"\rc\r"
    reader = LineReader(100)
    found = []
    for start in range(0, len(data), size):
        found += tokens(reader, data[start : start + size])
        assert reader.buffered <= 100 + size
    assert found == [
        ("LINE", "a"),
        ("OVERSIZED", "x" * 80),
        ("LINE", "b"),
        ("OVERSIZED", "y" * 80),
        ("LINE", "c"),
    ]


def test_the_longest_line_allowed() -> None:
    assert tokens(LineReader(100), b"z" * 100 + b"\r") == [("LINE", "z" * 100)]


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        (b"plain", "plain"),
        ("Žižkov".encode(), "Žižkov"),
        (b"caf\xe9", "café"),
        (b"\x1bAT\x1a", "AT"),
        (b"O\x07K", "O\ufffdK"),
        (b"a\tb", "a\tb"),
        (b"a\x85b", "a\ufffdb"),
        ("a\u202eb".encode(), "a\ufffdb"),
    ],
)
def test_text(raw: bytes, text: str) -> None:
    assert printable(raw) == text


def test_token_names() -> None:
    assert {token.name for token in Token} == {"LINE", "PROMPT", "OVERSIZED"}
