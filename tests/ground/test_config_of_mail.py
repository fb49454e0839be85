"""The sections about mail: what they may say, and mistakes that name their line."""

import re
from pathlib import Path

import pytest

from modembank.config import ConfigError, load_config
from modembank.mail_config import MailInConfig, is_loopback

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "mail.md"
IN = '[mail_in]\nlisten = "127.0.0.1:2525"\ndomain = "sms.box"\n'
SENDER = '[[mail_in.sender]]\naddress = "a@b.example"\nuser = "u"\n'
OUT = '[[mail_out]]\nname = "office"\nhost = "mail.example.com"\nsender = "sms@example.com"\n'
FORWARD = '[[mail_out.forward]]\nname = "desk"\nto = ["desk@example.com"]\n'


def loaded(folder, text):
    (path := folder / "modembank.toml").write_text(text, "utf-8")
    return load_config(path)


def test_it_is_off_unless_it_is_set_up(tmp_path):
    config = loaded(tmp_path, "")
    assert (config.mail_in, config.mail_out) == (MailInConfig(), ())
    assert not config.mail_in.listen


def test_the_examples_of_the_document_are_read(tmp_path):
    examples = re.findall(r"```toml\n(.*?)```", DOCUMENT.read_text("utf-8"), re.DOTALL)
    assert len(examples) == 2
    web = '[web]\ntls_cert = "c.pem"\ntls_key = "k.pem"\n'
    config = loaded(tmp_path, web + "".join(examples))
    assert [(sender.address, sender.user) for sender in config.mail_in.sender] == [
        ("alice@clinic.example", "alice"),
        ("@clinic.example", "reception"),
    ]
    (server,) = config.mail_out
    assert [forward.to for forward in server.forward] == [("reception@clinic.example",), ("duty@clinic.example",)]


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ('[mail_in]\nlisten = "2525"\n', 2, "an address and a port, such as 0.0.0.0:2525"),
        ('[mail_in]\nlisten = "127.0.0.1:2525"\n' + SENDER, 2, "listen needs a domain"),
        (IN, 2, "without one nobody may send"),
        ('[mail_in]\ndomain = "box"\n', 2, "a domain such as sms.example.com"),
        (IN.replace("127.0.0.1", "0.0.0.0") + SENDER, 2, "allow_plain = true allows that"),
        (IN.replace("127.0.0.1", "[::]") + SENDER, 2, "without a certificate"),
        (IN + 'tls_cert = "c.pem"\n' + SENDER, 4, "tls_cert and tls_key go together"),
        (IN + SENDER + SENDER.replace("a@b", "A@B"), 8, "a@b.example is there twice"),
        (IN + SENDER.replace("a@b.example", "a b@c.example"), 5, "or @example.com for all of a domain"),
        (IN + SENDER.replace('user = "u"\n', ""), 4, "missing required field `user`"),
        (IN + 'subject = "all"\n', 4, "allowed here: body, both, subject"),
        (IN + "max_kib = 1\n", 4, "mail_in.max_kib"),
        (IN + "colour = 1\n", 4, "unknown key mail_in.colour"),
        (OUT + "colour = 1\n", 5, "unknown key mail_out.colour"),
        (OUT.replace("sms@example.com", "sms"), 4, "an address of e-mail such as desk@example.com"),
        (OUT.replace("sms@example.com", "s..ms@example.com"), 4, "an address of e-mail such as desk@example.com"),
        (OUT.replace("sms@example.com", f"{'s' * 65}@example.com"), 4, "an address of e-mail such as desk@example.com"),
        (OUT.replace("mail.example.com", "mail example"), 3, "a name such as mail.example.com"),
        (OUT.replace("office", "The Office"), 2, "1 to 32 lower-case letters"),
        (OUT + 'password_file = "p"\n', 5, "password_file needs a username"),
        (OUT + 'security = "none"\nusername = "u"\n', 5, "would let everybody read the password"),
        (OUT + 'security = "ssl"\n', 5, "allowed here: none, starttls, tls"),
        (OUT + OUT, 6, "the name office is there twice"),
        (OUT + FORWARD + FORWARD, 9, "mail_out.forward: the name desk is there twice"),
        (OUT + FORWARD.replace('["desk@example.com"]', "[]"), 7, "mail_out.forward.to"),
        (OUT + FORWARD.replace("desk@", "desk"), 7, "an address of e-mail"),
        (OUT + FORWARD + 'sims = ["1"]\n', 8, "the 18 to 20 digits on the card"),
        (OUT + FORWARD + 'pools = [""]\n', 8, "mail_out.forward.pools"),
    ],
)
def test_a_mistake_is_named_with_its_line(tmp_path, text, line, words):
    with pytest.raises(ConfigError) as caught:
        loaded(tmp_path, text)
    assert words in str(caught.value), str(caught.value)
    assert f"modembank.toml:{line}:" in str(caught.value), str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        IN + SENDER,
        IN.replace("127.0.0.1", "0.0.0.0") + "allow_plain = true\n" + SENDER,
        IN.replace("127.0.0.1", "0.0.0.0") + 'tls_cert = "c"\ntls_key = "k"\n' + SENDER,
        '[web]\ntls_cert = "c"\ntls_key = "k"\n' + IN.replace("127.0.0.1", "0.0.0.0") + SENDER,
        OUT + FORWARD + OUT.replace("office", "other") + FORWARD.replace('"desk"', '"other"'),
        OUT + 'username = "u"\n',  # the password may come as a credential
    ],
)
def test_what_goes_together_is_taken(tmp_path, text):
    loaded(tmp_path, text)


@pytest.mark.parametrize(
    ("listen", "own"),
    [
        ("127.0.0.1:1", True),
        ("127.9.9.9:1", True),
        ("[::1]:1", True),
        ("localhost:1", True),
        ("0.0.0.0:1", False),
        ("[::]:1", False),
        ("10.0.0.1:1", False),
        ("mail.local:1", False),
    ],
)
def test_what_the_box_alone_can_reach(listen, own):
    assert is_loopback(listen) is own
