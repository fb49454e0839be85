import pytest
from hypothesis import given
from hypothesis import strategies as st

from modembank.tpdu import (
    Alphabet,
    Encoding,
    Language,
    NotInAlphabet,
    SplitText,
    TextTooLong,
    UnencodableTpdu,
    UnpairedSurrogate,
    count_segments,
    join_parts,
    split_text,
)
from modembank.tpdu.split import ReferenceBits
from tpdu.strategies import mixed_text


def split(
    text: str,
    reference: int = 1,
    bits: ReferenceBits = 8,
    encoding: Encoding = Encoding.AUTO,
    national: Language | None = None,
) -> SplitText:
    result = split_text(text, reference=reference, reference_bits=bits, encoding=encoding, national=national)
    for part in result.parts:
        assert len(part.encode()) <= 141
    return result


def texts(result: SplitText) -> list[str | None]:
    return [part.text for part in result.parts]


@pytest.mark.parametrize(
    ("text", "bits", "lengths", "left"),
    [
        ("", 8, (0,), 160),
        ("x" * 160, 8, (160,), 0),
        ("x" * 161, 8, (153, 8), 145),
        ("x" * 306, 8, (153, 153), 0),
        ("x" * 307, 8, (153, 153, 1), 152),
        ("x" * 161, 16, (152, 9), 143),
        ("x" * 304, 16, (152, 152), 0),
        ("x" * 305, 16, (152, 152, 1), 151),
        ("€" * 80, 8, (160,), 0),
        ("€" * 79 + "x", 8, (159,), 1),
        ("€" * 81, 8, (152, 10), 143),  # an escape in place 153 moves on with its code
        ("x" * 152 + "€" + "x" * 10, 8, (152, 12), 141),
        ("x" * 151 + "€" + "x" * 10, 8, (153, 10), 143),
        ("ж" * 70, 8, (70,), 0),
        ("ж" * 71, 8, (67, 4), 63),
        ("ж" * 134, 8, (67, 67), 0),
        ("ж" * 135, 8, (67, 67, 1), 66),
        ("ж" * 71, 16, (66, 5), 61),
        ("ж" * 66 + "😀" + "ж" * 10, 8, (66, 12), 55),  # a pair across 67 moves on
        ("ж" * 65 + "😀" + "ж" * 10, 8, (67, 10), 57),
        ("😀" * 35, 8, (70,), 0),
        ("😀" * 36, 8, (66, 6), 61),
    ],
)
def test_limits(text: str, bits: ReferenceBits, lengths: tuple[int, ...], left: int) -> None:
    result = split(text, bits=bits)
    assert result.lengths == lengths
    assert result.characters_left == left
    assert "".join(part.text or "" for part in result.parts) == text
    count = count_segments(text, reference_bits=bits)
    assert (count.segments, count.units, count.characters_left) == (len(lengths), sum(lengths), left)


def test_one_part_has_no_header_and_more_have_their_place() -> None:
    assert split("hello").parts[0].udh is None
    result = split("x" * 400, reference=0xBEEF, bits=16)
    places = [part.concat for part in result.parts]
    assert [(place.reference, place.total, place.sequence, place.wide) for place in places if place] == [
        (0xBEEF, 3, number, True) for number in (1, 2, 3)
    ]
    assert split("x" * 400, reference=0).parts[0].concat is not None


def test_encoding_and_what_forced_it() -> None:
    assert split("hello").encoding is Encoding.GSM7
    assert split("hello").forced_by == ()
    result = split("“hello” – …")
    assert (result.encoding, result.forced_by) == (Encoding.UCS2, ("“", "”", "–", "…"))
    assert count_segments("“hello” – …").forced_by == ("“", "”", "–", "…")
    assert split("`").forced_by == ("`",)
    demanded = split("hello", encoding=Encoding.UCS2)
    assert (demanded.encoding, demanded.forced_by, demanded.parts[0].payload) == (
        Encoding.UCS2,
        (),
        "hello".encode("utf-16-be"),
    )


def test_demanded_alphabet_that_does_not_do() -> None:
    with pytest.raises(NotInAlphabet) as caught:
        split("naïve – “test” –", encoding=Encoding.GSM7)
    assert caught.value.characters == ("ï", "–", "“", "”")
    assert "U+00EF" in str(caught.value)
    with pytest.raises(NotInAlphabet):
        count_segments("ж", encoding=Encoding.GSM7)
    with pytest.raises(NotInAlphabet) as caught:
        split("ışж", encoding=Encoding.GSM7, national=Language.TURKISH)
    assert caught.value.characters == ("ж",)


def test_255_parts_and_no_more() -> None:
    assert len(split("x" * 153 * 255).parts) == 255
    with pytest.raises(TextTooLong) as caught:
        split("x" * (153 * 255 + 1))
    assert (caught.value.segments, caught.value.limit) == (256, 255)
    assert len(split("ж" * 67 * 255).parts) == 255
    with pytest.raises(TextTooLong):
        count_segments("ж" * (67 * 255 + 1))


@pytest.mark.parametrize("text", ["\ud83d", "abc\ude00", "ж\ud83dж"])
def test_half_a_pair_is_refused(text: str) -> None:
    with pytest.raises(UnpairedSurrogate):
        split(text)
    with pytest.raises(UnpairedSurrogate):
        count_segments(text)
    with pytest.raises(UnpairedSurrogate):
        split(text, encoding=Encoding.UCS2)


@pytest.mark.parametrize(("reference", "bits"), [(256, 8), (-1, 8), (65536, 16)])
def test_reference_out_of_range(reference: int, bits: ReferenceBits) -> None:
    with pytest.raises(UnencodableTpdu):
        split("x" * 161, reference, bits)


@pytest.mark.parametrize(
    "cluster",
    [
        "e\u0323\u0301",
        "👩🏽\u200d🚀",
        "👨\u200d👩\u200d👧\u200d👦",
        "🇬🇧",
        "❤\ufe0f",
        "1\ufe0f\u20e3",
        "🏴\U000e0067\U000e0062\U000e007f",
    ],
)
@pytest.mark.parametrize("before", range(58, 68))
def test_clusters_stay_whole_where_that_costs_nothing(cluster: str, before: int) -> None:
    text = "ж" * before + cluster + "ж" * 20
    result = split(text)
    assert len(result.parts) == 2
    assert any(cluster in (part.text or "") for part in result.parts)
    assert join_parts(result.parts).text == text


def test_clusters_are_cut_where_keeping_them_costs_a_part() -> None:
    family = "👨\u200d👩\u200d👧\u200d👦"
    text = "ж" * 59 + family + "ж" * 64  # 134 units: exactly two parts
    assert len(split(text).parts) == 2
    flags = "🇬🇧" * 16 + "ж🇫🇷" + "ж" * 66
    assert len(split(flags).parts) == count_segments(flags).segments


def test_hostile_heap_of_accents() -> None:
    text = "ж" + "\u0301" * 500
    result = split(text)
    assert len(result.parts) == count_segments(text).segments
    assert join_parts(result.parts).text == text


def test_national_tables_only_when_asked_for() -> None:
    text = "Çalışma başlıyor, şimdi görüşürüz"
    assert split(text).encoding is Encoding.UCS2
    result = split(text, national=Language.TURKISH)
    assert result.encoding is Encoding.GSM7
    assert Language.TURKISH in {result.locking, result.single}
    assert texts(result) == [text]
    assert split("hello", national=Language.TURKISH).parts[0].udh is None  # not needed, not used


@pytest.mark.parametrize(
    ("text", "locking", "single", "segments"),
    [
        ("ş" * 75, Language.DEFAULT, Language.TURKISH, 1),  # 150 septets beside a header of five
        ("ş" * 150, Language.TURKISH, Language.DEFAULT, 1),
        ("नमस्ते " * 20, Language.HINDI, Language.DEFAULT, 1),
        ("नमस्ते ABCDEFG" * 9, Language.HINDI, Language.HINDI, 2),
    ],
)
def test_the_cheapest_pair_of_tables_is_taken(text: str, locking: Language, single: Language, segments: int) -> None:
    national = Language.HINDI if "न" in text else Language.TURKISH
    result = split(text, national=national)
    assert (result.locking, result.single) == (locking, single)
    assert len(result.parts) == segments
    assert join_parts(result.parts).text == text


def test_national_tables_in_every_part_of_a_long_text() -> None:
    text = "şimdi " * 100
    result = split(text, national=Language.TURKISH, bits=16)
    assert len(result.parts) > 1
    for part in result.parts:
        assert part.udh is not None
        assert part.udh.concat is not None
        assert Language.TURKISH in {part.locking, part.single}
    assert join_parts(result.parts).text == text
    assert count_segments(text, national=Language.TURKISH, reference_bits=16).segments == len(result.parts)


def test_national_tables_are_not_taken_where_ucs2_is_shorter() -> None:
    # Spanish has a single table only: 70 x 2 septets and the header do not beat 70 code units.
    text = "á" * 70 + "ñ"
    assert split("á" * 70, national=Language.SPANISH).encoding is Encoding.GSM7
    result = split("ú" * 68 + "ж", national=Language.SPANISH)
    assert result.encoding is Encoding.UCS2
    assert split(text, national=Language.SPANISH).encoding is Encoding.GSM7


@given(mixed_text, st.sampled_from([8, 16]), st.sampled_from([None, *Language]), st.integers(0, 255))
def test_nothing_is_lost(text: str, bits: ReferenceBits, national: Language | None, reference: int) -> None:
    result = split(text, reference, bits, national=national)
    count = count_segments(text, reference_bits=bits, national=national)
    assert count.segments == len(result.parts)
    assert count.encoding is result.encoding
    assert count.units == sum(result.lengths)
    assert all(length <= result.capacity for length in result.lengths)
    assert join_parts(result.parts).text == text
    # Each part reads alone: no pair is cut.
    assert "".join(part.text or "" for part in result.parts) == text
    expected = Alphabet.UCS2 if result.encoding is Encoding.UCS2 else Alphabet.GSM7
    assert {part.alphabet for part in result.parts} == {expected}


@given(mixed_text)
def test_a_demanded_ucs2_always_works(text: str) -> None:
    result = split(text, encoding=Encoding.UCS2)
    assert join_parts(result.parts).text == text
