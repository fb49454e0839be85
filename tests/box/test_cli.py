"""``modembank-box``: verbs are modules, errors are sentences."""

import pytest

from modembank_box import cli, verbs
from modembank_box.cli import main


@pytest.fixture
def verb(tmp_path, monkeypatch):
    """A verb ``say-it`` that returns the number it is given."""
    (tmp_path / "say_it.py").write_text(
        '"""Say it."""\nfrom modembank_box.errors import BoxError\n'
        "def run(places, arguments):\n"
        "    if not arguments:\n        raise BoxError(f'nothing to say in {places.root}')\n"
        "    return int(arguments[0])\n"
    )
    monkeypatch.setattr(verbs, "__path__", [*verbs.__path__, str(tmp_path)])


def test_a_verb_is_found_by_its_name(verb):
    assert main(["say-it", "3"]) == 3


def test_an_error_is_a_sentence(verb, capsys, tmp_path):
    assert main(["--root", str(tmp_path), "say-it"]) == 1
    assert capsys.readouterr().err == f"modembank-box say-it: nothing to say in {tmp_path}\n"


def test_help_has_a_sentence_for_every_verb(verb, capsys):
    assert main(["--help"]) == 0
    shown = capsys.readouterr().out
    assert "  say-it        Say it.\n" in shown
    lines = shown.splitlines()[2:]
    assert len(lines) == len(cli._names())
    assert all(line.endswith(".") for line in lines)


@pytest.mark.parametrize("arguments", [[], ["unheard-of"]])
def test_without_a_verb_it_tells_which_there_are(arguments, capsys):
    assert main(arguments) == 2
    said = capsys.readouterr()
    assert "usage: modembank-box" in said.out + said.err
