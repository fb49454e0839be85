"""``[mqtt]``: what goes together, and what is refused with its line."""

import base64

import pytest

from modembank.config import Config, ConfigError, load_config

KEY = base64.b64encode(bytes(32)).decode()
GOOD = f"""
[mqtt]
url = "mqtts://hub.example.com:8883"
site = "kiel"
certificate = "a.pem"
key = "b.pem"
[[mqtt.hub_key]]
kid = "h2"
public = "{KEY}"
not_after = "2027-12-31"
"""


def load(tmp_path, text):
    path = tmp_path / "modembank.toml"
    path.write_text(text)
    return load_config(path)


def test_a_hub_is_set_up(tmp_path):
    mqtt = load(tmp_path, GOOD).mqtt
    assert (mqtt.site, mqtt.box, mqtt.profile, mqtt.privacy) == ("kiel", "", "standard", "meta")
    assert mqtt.hub_key[0].public == KEY
    assert "ussd.run" not in mqtt.commands


def test_without_the_section_there_is_none():
    assert Config().mqtt.url == ""


@pytest.mark.parametrize("url", ["mqtt://127.0.0.1:1883", "mqtt://localhost", "mqtt://[::1]:1883", "mqtts://10.1.2.3"])
def test_without_tls_there_is_only_this_box(tmp_path, url):
    assert load(tmp_path, GOOD.replace("mqtts://hub.example.com:8883", url)).mqtt.url == url


@pytest.mark.parametrize(
    ("old", "new", "what"),
    [
        ("mqtts://hub", "mqtt://hub", "elsewhere it is mqtts"),
        ("mqtts://hub.example.com:8883", "mqtt://127.0.0.1.example.com", "elsewhere it is mqtts"),
        ("mqtts://hub", "https://hub", "an address such as mqtts"),
        ('site = "kiel"\n', "", "needs a site"),
        ('site = "kiel"', 'site = "Kiel/x"', "lower-case letters"),
        ('key = "b.pem"\n', "", "go together"),
        (KEY, KEY[:-4], "Ed25519"),
        ("2027-12-31", "next year", "a day such as"),
        ('kid = "h2"', 'kid = "h2"\nprivate = "x"', "unknown key"),
        ("[mqtt]", '[mqtt]\nprivacy = "none"', "counts, full, meta"),
        ("[mqtt]", '[mqtt]\ncommands = ["box.burn"]', "mqtt.commands"),
        ("[mqtt]", '[mqtt]\nussd_codes = ["*100#;ATD"]', "a USSD code"),
        ("[mqtt]", f'[box]\nid = "{"b" * 40}"\n[mqtt]', "needs a box"),
    ],
)
def test_what_does_not_go_is_said(tmp_path, old, new, what):
    with pytest.raises(ConfigError) as refused:
        load(tmp_path, GOOD.replace(old, new))
    assert what in str(refused.value)


def test_two_keys_of_one_name_are_refused(tmp_path):
    again = GOOD[GOOD.index("[[mqtt.hub_key]]") :]
    with pytest.raises(ConfigError, match="same kid"):
        load(tmp_path, GOOD + again)
