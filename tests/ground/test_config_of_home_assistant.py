"""The sections about the site's broker: what they may say, and mistakes that name their line."""

import re
from pathlib import Path

import pytest

from modembank.config import ConfigError, HomeAssistantConfig, load_config

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "home-assistant.md"
GROUP = '[[home_assistant.notify]]\ngroup = "a"\nto = ["+447700900123"]\nuser = "u"\n'


def loaded(folder, text):
    (path := folder / "modembank.toml").write_text(text, "utf-8")
    return load_config(path).home_assistant


def test_it_is_off_unless_it_is_set_up(tmp_path):
    home = loaded(tmp_path, "")
    assert home == HomeAssistantConfig()
    assert (home.url, home.commands, home.privacy, home.notify) == ("", False, "meta", ())


def test_the_example_of_the_document_is_read(tmp_path):
    (example,) = re.findall(r"```toml\n(.*?)```", DOCUMENT.read_text("utf-8"), re.DOTALL)
    home = loaded(tmp_path, example)
    assert home.commands
    assert [(entry.group, entry.max_segments, entry.priority) for entry in home.notify] == [
        ("on-call", 2, 5),
        ("alarm", 1, 9),
    ]


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ('[home_assistant]\nurl = "http://x"\n', 2, "an address such as mqtt://"),
        ('[home_assistant]\nurl = "mqtt://h"\nca = "x.pem"\n', 2, "certificates are for mqtts:"),
        (
            '[mqtt]\nkey = ""\n[home_assistant]\nurl = "mqtts://h"\nkey = "k.pem"\n',
            5,
            "certificate and key go together",
        ),
        ('[home_assistant]\nurl = "mqtts://h"\npassword_file = "p"\n', 3, "password_file needs a username"),
        ('[home_assistant]\ntopic_prefix = "a/+"\n', 2, "words of letters"),
        ('[home_assistant]\nnode = "Box 1"\n', 2, "1 to 63 lower-case letters"),
        ("[home_assistant]\nevery_s = 0\n", 2, "home_assistant.every_s"),
        ('[home_assistant]\nprivacy = "none"\n', 2, "allowed here: counts, full, meta"),
        (GROUP + GROUP, 6, "the group a is there twice"),
        (GROUP.replace("+447700900123", "everybody"), 3, "numbers such as +447700900123"),
        (GROUP.replace('["+447700900123"]', "[]"), 3, "home_assistant.notify.to"),
        (GROUP.replace('user = "u"\n', ""), 1, "missing required field `user`"),
        (GROUP + "priority = 10\n", 5, "home_assistant.notify.priority"),
        (GROUP + "colour = 1\n", 5, "unknown key home_assistant.notify.colour"),
    ],
)
def test_a_mistake_is_named_with_its_line(tmp_path, text, line, words):
    with pytest.raises(ConfigError) as caught:
        loaded(tmp_path, text)
    assert words in str(caught.value)
    assert caught.value.fields["line"] == line
