"""What people write to have no more messages, what only looks like it, and what never means it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modembank.decency import LANGUAGES, OptOutConfig
from modembank.optouts.folding import fold, words_of
from modembank.optouts.keywords import MOST_LETTERS, Heard, Keywords, Meaning, is_one_slip
from modembank.optouts.tables.words import EVERYWHERE, ORDINARY, WORDS

ENGLISH = Keywords(OptOutConfig())
ALL = Keywords(OptOutConfig(languages=LANGUAGES))
SENTENCES = (
    """
ok|Yes|No thanks|Y|👍|See you at the end of the meeting|I had to cancel my appointment, sorry|Can we do 3pm instead?
The bus does not go past the town hall any more|What time do you close?|Start without me|I am at the shop
Thank you so much for the reminder, that is very kind|Top!|top|Danke, passt|Ja|Nein|Ich komme etwas später|Alles klar
Bis morgen|Merci beaucoup|Oui|Non merci|À demain|D'accord|Je serai en retard|Sí|Si|Gracias|Mañana no puedo|Vale
Grazie mille|Va bene|Sì|Obrigado|Sim|Não posso|Bedankt|Nee dank je|Tack|Hej|Tak|Kiitos|Joo|Děkuji|Ano|Dziękuję|Tak
Köszönöm|Igen|Teşekkürler|Evet|Ευχαριστώ|Ναι|Спасибо|Да|Дякую|Так|شكرا|نعم|धन्यवाद|हाँ|1|12345|?|...
Who is this?|Please call me|Running late, be there in 10|Happy birthday!|Is it still raining in Leeds
I quit smoking last year
Weekend plans?|The kids want to go to the zoo|My new number is 07911 123456|How do I get there from the station|send
Please end the call on my behalf|They revoked my licence years ago|step|Steps|shop|stoop|The last stopover was in Rome
Could you send me the form again|No more bread, thanks|Der Bus hält am Ende der Straße
Fin de semana en la playa|bajo|Baja California
""".replace("\n", "|")
    .strip("|")
    .split("|")
)


@pytest.mark.parametrize(
    "text",
    [
        "STOP",
        "stop",
        " Stop. ",
        "STOP!!!",
        "“Stop”",
        "'stop'",
        "ＳＴＯＰ",
        "s t o p",
        "S.T.O.P.",
        "st\u200bop",
        "STOP 🛑",
        "stop\ufe0f",
        "\u202estop",
        "stop\n",
        "stop\x00",
        "STÓP",
        "Stop all",
        "STOPALL",
        "UNSUBSCRIBE",
        "opt-out",
        "Opt out",
        "cancel",
        "End",
        "QUIT",
        "revoke",
        "Ｓｔｏｐ",
    ],
)
def test_a_keyword_alone_stops_however_it_is_typed(text):
    assert ENGLISH.hear(text).meaning is Meaning.STOP


@pytest.mark.parametrize("text", ["START", "start", "Unstop", "UNSTOP.", "subscribe", "opt in"])
def test_a_keyword_alone_starts_again(text):
    assert ENGLISH.hear(text).meaning is Meaning.START


@pytest.mark.parametrize(
    ("text", "keyword"),
    [
        ("please stop", "STOP"),
        ("stop texting me now", "STOP"),
        ("STOP 12345", "STOP"),
        ("STOP STOP", "STOP"),
        ("stop it", "STOP"),
        ("sotp", "STOP"),
        ("stpo", "STOP"),
        ("stip", "STOP"),
        ("sttop", "STOP"),
        ("STOOOOOP", "STOP"),
        ("unsubcribe", "UNSUBSCRIBE"),
        ("Unsubscribe me", "UNSUBSCRIBE"),
        ("remove me from your list please, I have asked before", "remove me"),
        ("Wrong number mate", "wrong number"),
        ("remove", "REMOVE"),
        ("ABMELDEN", "ABMELDEN"),
        ("стоп", "СТОП"),
        ("توقف", "توقف"),
        ("ЅТОР", "STOP"),  # Cyrillic
        ("SΤΟP", "STOP"),  # Greek T and O
        ("ST0P", "STOP"),
        ("5top!", "STOP"),
        ("$TOP", "STOP"),
        ("UNSUB5CRIBE", "UNSUBSCRIBE"),
        ("🇸🇹🇴🇵", "STOP"),
        ("🆂🆃🅾🅿", "STOP"),
        ("🛑", "🛑"),
        (" 🚫🚫 !", "🚫"),
        ("STOP\n--\nSent from my very own telephone, with best regards", "STOP"),
        ("Stop\n" + "On Monday you wrote: " + "x" * 300, "STOP"),
        ("Stop sending me these messages please I have never asked for them", "STOP"),
    ],
)
def test_what_looks_like_one_goes_to_a_person(text, keyword):
    assert ENGLISH.hear(text) == Heard(Meaning.REVIEW, keyword)


@pytest.mark.parametrize("text", SENTENCES)
@pytest.mark.parametrize("keywords", [ENGLISH, ALL], ids=["english", "all"])
def test_ordinary_sentences_never_opt_out(keywords, text):
    assert keywords.hear(text).meaning not in (Meaning.STOP, Meaning.START)


@pytest.mark.parametrize("text", SENTENCES)
def test_ordinary_sentences_bother_nobody(text):
    assert ENGLISH.hear(text).meaning is Meaning.NOTHING


@given(st.lists(st.sampled_from([word for line in SENTENCES for word in line.split()]), min_size=2, max_size=12))
def test_ordinary_words_in_any_order_never_opt_out(words):
    heard = ENGLISH.hear(" ".join(words))
    assert heard.meaning in (Meaning.NOTHING, Meaning.REVIEW) or sum(bool(fold(word)) for word in words) == 1


@given(st.text(max_size=80))
def test_folding_is_idempotent(text):
    once = fold(text)
    assert fold(once) == once
    words = words_of(text)
    assert words_of(" ".join(words)) == words


@given(st.text(max_size=300))
def test_any_text_is_understood_or_not_but_never_breaks(text):
    for keywords in (ENGLISH, ALL):
        heard = keywords.hear(text)
        assert bool(heard.keyword) == (heard.meaning is not Meaning.NOTHING)
        if heard.meaning is Meaning.STOP:
            assert len(text) <= MOST_LETTERS


@given(st.sampled_from(["stop", "unsubscribe", "cancel"]), st.data())
def test_noise_around_the_letters_changes_nothing(word, data):
    noise = st.text(st.sampled_from(' .,!?…"“”\u200b\u200d\u00ad\u2060🛑\t\n-_*#'), max_size=2)
    cases = [data.draw(st.sampled_from([letter, letter.upper(), chr(ord(letter) + 0xFEE0)])) for letter in word]
    text = "".join(data.draw(noise) + letter for letter in cases) + data.draw(noise)
    assert ENGLISH.hear(text).meaning is Meaning.STOP


@pytest.mark.parametrize("language", LANGUAGES)
def test_each_language_knows_its_own_words(language):
    keywords = Keywords(OptOutConfig(languages=(language,)))
    for word in (*WORDS[language].stop.split(), *EVERYWHERE.stop.split()):
        assert keywords.hear(word.replace("_", " ").capitalize()).meaning is Meaning.STOP, word
    for word in (*WORDS[language].start.split(), *EVERYWHERE.start.split()):
        assert keywords.hear(word.replace("_", " ")).meaning is Meaning.START, word
    for word in WORDS[language].doubtful.split():
        assert keywords.hear(word.lower()).meaning is Meaning.REVIEW, word


def test_the_table_is_the_list_of_the_configuration_and_says_nothing_twice():
    assert tuple(sorted(WORDS)) == LANGUAGES
    for language, words in WORDS.items():
        kinds = [{fold(word) for word in kind.split()} for kind in words]
        assert not kinds[0] & kinds[1] | kinds[0] & kinds[2] | kinds[1] & kinds[2], language
        assert not {fold(word) for kind in kinds for word in kind} & {"", "yes", "no", "ja", "si", "ok"}


@pytest.mark.parametrize(
    ("text", "meaning"),
    [("ΣTOΠ", Meaning.STOP), ("ΔIAΓPAΦH", Meaning.STOP), ("ENAPΞH", Meaning.START), ("TEΛOΣ", Meaning.REVIEW)],
)
def test_greek_is_understood_as_handsets_send_it(text, meaning):
    """The GSM default alphabet has Latin letters for the Greek capitals that look like them."""
    assert Keywords(OptOutConfig(languages=("el",))).hear(text).meaning is meaning


@pytest.mark.parametrize("text", ["5709", "0", "350", "CTO", "$", "10:30", "7 0 9", "👍", "🇬🇧"])
def test_digits_signs_and_flags_look_like_nothing(text):
    assert ALL.hear(text).meaning is Meaning.NOTHING


def test_words_of_the_box_are_added():
    keywords = Keywords(OptOutConfig(keywords=("Praxis Ende", "QUATSCH")))
    assert keywords.hear("praxis-ende") == Heard(Meaning.STOP, "Praxis Ende")
    assert keywords.hear("Quatsch!").meaning is Meaning.STOP
    assert keywords.hear("so ein quatsch").meaning is Meaning.REVIEW
    assert Keywords(OptOutConfig(keywords=("START",))).hear("start").meaning is Meaning.STOP, "it rather stops"


def test_long_texts_are_not_looked_at():
    assert ENGLISH.hear("stop" + "!" * MOST_LETTERS).meaning is Meaning.NOTHING


def test_ordinary_words_are_one_slip_away_or_nearly():
    for word in ORDINARY:
        assert ENGLISH.hear(word).meaning is Meaning.NOTHING, word


@pytest.mark.parametrize(
    ("one", "other", "slip"),
    [
        ("stop", "stop", False),
        ("sto", "stop", True),
        ("stopp", "stop", True),
        ("stip", "stop", True),
        ("tsop", "stop", True),
        ("tpso", "stop", False),
        ("st", "stop", False),
        ("", "s", True),
    ],
)
def test_one_slip(one, other, slip):
    assert is_one_slip(one, other) is slip
    assert is_one_slip(other, one) is slip
