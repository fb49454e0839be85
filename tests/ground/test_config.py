"""The configuration file: defaults, and errors that name file, line, key and what is allowed."""

from pathlib import Path

import pytest

from modembank.config import Config, ConfigError, load_config


def write(folder: Path, text: str) -> Path:
    path = folder / "modembank.toml"
    path.write_text(text, "utf-8")
    return path


def refusal(folder: Path, text: str) -> ConfigError:
    with pytest.raises(ConfigError) as caught:
        load_config(write(folder, text))
    return caught.value


def test_an_empty_file_means_the_defaults(tmp_path):
    assert load_config(write(tmp_path, "")) == Config()


def test_a_full_file_is_read(tmp_path):
    config = load_config(
        write(
            tmp_path,
            """
[box]
id = "clinic-3"
site = "Ward 3"
data_dir = "/tmp/x"
region = "GB"
[web]
listen = "0.0.0.0:8443"
tls_cert = "/a.pem"
tls_key = "/a.key"
[bank]
discovery = "static"
[[bank.port]]
path = "/dev/ttyUSB2"
label = "left"
[[bank.port]]
path = "socket://127.0.0.1:7000"
baudrate = 9600
[limits]
per_hour = 100
[[sim]]
iccid = "8944100000000000001"
label = "main"
limits = { per_day = 5, min_interval_s = 0.5 }
[sending]
on_unknown = "resend"
[log]
level = "debug"
""",
        )
    )
    assert [port.label for port in config.bank.port] == ["left", ""]
    assert config.bank.port[1].baudrate == 9600
    assert config.limits.per_hour == 100
    assert config.limits.per_minute == 15
    assert config.sim[0].limits.per_day == 5
    assert config.sim[0].limits.per_hour is None
    assert config.sending.on_unknown == "resend"


def test_a_missing_file_says_so(tmp_path):
    with pytest.raises(ConfigError, match=r"nowhere\.toml: cannot be read: No such file"):
        load_config(tmp_path / "nowhere.toml")


def test_text_that_is_not_utf8_says_so(tmp_path):
    path = tmp_path / "modembank.toml"
    path.write_bytes(b'[box]\nsite = "\xff"\n')
    with pytest.raises(ConfigError, match="not UTF-8"):
        load_config(path)


def test_broken_toml_names_the_line(tmp_path):
    error = refusal(tmp_path, '[box]\nid = "a"\nsite = \n')
    assert error.fields["line"] == 3
    assert "not TOML" in str(error)


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ('[box]\nid = "a"\ncolour = "red"\n', 3, ("box.colour", "allowed here", "region")),
        ("[bix]\n", 1, ("unknown key bix", "box", "limits")),
        ('[bank]\n[[bank.port]]\npath = "/dev/a"\nbaud = 9600\n', 4, ("bank.port.baud", "baudrate")),
        ("[limits]\nper_hour = -1\n", 2, ("limits.per_hour", ">= 0")),
        ('[limits]\nper_hour = "many"\n', 2, ("limits.per_hour", "int")),
        ('[bank]\ndiscovery = "magic"\n', 2, ("bank.discovery", "magic", "allowed here: static, usb")),
        ('[[sim]]\niccid = "12"\n', 2, ("sim.iccid: must be the 18 to 20 digits",)),
        (
            '[[sim]]\niccid = "8944100000000000001"\n[sim.limits]\nper_year = 3\n',
            4,
            ("sim.limits.per_year", "per_month"),
        ),
        ('[web]\nlisten = "everywhere"\n', 2, ("web.listen: must be an address and a port, such as",)),
        ('[outage]\nrule = "maybe"\n', 2, ("outage.rule", "'maybe'", "ask, expire, send")),
        ("[outage]\nafter_s = 60\n", 2, ("outage.after_s", ">= 300")),
        ('[[sim]]\niccid = "8944100000000000001"\npin = 1234\n', 3, ("sim.pin: must be 4 to 8 digits",)),
        ("[bank]\nport = 5\n", 2, ("bank.port", "array")),
        ("[sending]\nvalid_for_s = 5\n", 2, ("sending.valid_for_s", ">= 60")),
        ('[bank]\n[[bank.port]]\npath = "/dev/a"\n[[bank.port]]\npath = "/dev/a"\n', 5, ("listed twice",)),
        ('[bank]\nignore = ["1-1.2"]\n', 2, ("bank.ignore", "1-1.2 is no place on the USB")),
        ('[bank]\n[[bank.port]]\npath = "usb:1-1.x"\n', 3, ("usb:1-1.x is no place on the USB", "usb:1-1.4.3")),
        (
            '[bank]\n[[bank.port]]\npath = "/dev/a"\nlabel = "left"\n[[bank.port]]\npath = "/dev/b"\nlabel = "left"\n',
            7,
            ("label left", "twice"),
        ),
        ('[web]\ntls_cert = "/a.pem"\n', 2, ("go together",)),
        ("[limits]\nmin_interval_s = inf\n", 2, ("limits.min_interval_s", "86400")),
        ("[limits]\nmin_interval_s = nan\n", 2, ("limits.min_interval_s",)),
        ("[limits]\nper_day = 99999999999999999999\n", 2, ("limits.per_day", "10000000")),
        ("x = " + "9" * 5000, 0, ("not TOML", "digits")),
        ("x = " + "[" * 20_000, 0, ("not TOML", "nested too deeply")),
        ('[box]\nid = "box\\n"\n', 2, ("box.id",)),
        ('[box]\nregion = "GB\\n"\n', 2, ("box.region",)),
        ('[web]\nlisten = "127.0.0.1:80\\n"\n', 2, ("web.listen",)),
        ('[[bank.port]]\npath = "/dev/a"\npin = "1234\\n"\n', 3, ("bank.port.pin",)),
        ('[[bank.port]]\npath = "/dev/a"\nlabel = "left\\n"\n', 3, ("bank.port.label",)),
        ('[[sim]]\niccid = "8944100000000000001\\n"\n', 2, ("sim.iccid",)),
    ],
)
def test_a_mistake_is_named_with_its_line(tmp_path, text, line, words):
    error = refusal(tmp_path, text)
    path = tmp_path / "modembank.toml"
    assert str(error).startswith(f"{path}:{line}: " if line else f"{path}: ")
    for word in words:
        assert word in str(error)


def test_how_long_a_final_result_is_waited_for_can_be_said(tmp_path):
    path = tmp_path / "modembank.toml"
    path.write_text("[bank]\nsend_timeout_s = 90\n")
    assert load_config(path).bank.send_timeout_s == 90
    path.write_text("[bank]\n\nsend_timeout_s = 4\n")
    with pytest.raises(ConfigError, match=r"modembank\.toml:3: .*send_timeout_s"):
        load_config(path)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('[opt_out]\nlanguages = ["en", "xx"]', ":2: opt_out.languages: 'xx' is not known; allowed: ar, bg,"),
        ('[quiet_hours]\nfrom = "21:00"', ":2: quiet_hours: from and to go together"),
        ('[quiet_hours]\nfrom = "21:00"\nto = "21:00"', ":2: quiet_hours: from and to are the same time"),
        ('[quiet_hours]\nfrom = "9pm"\nto = "08:00"', "a time such as 21:00"),
        ('[recipients]\nblocked_prefixes = ["+44"]\nallowed_prefixes = ["+44"]', ":2: recipients: +44 is both"),
        ('[recipients]\nblocked_prefixes = ["+0"]', "the beginning of a number"),
        ("[loops]\nwithin_s = 0", "loops.within_s"),
    ],
)
def test_rules_of_decency_that_cannot_be(tmp_path, text, words):
    assert words in str(refusal(tmp_path, text))


def test_rules_of_decency_are_read(tmp_path):
    text = '[quiet_hours]\nfrom = "21:00"\nto = "08:00"\n[opt_out]\nlanguages = ["de"]\nconfirmation = ""\n'
    config = load_config(write(tmp_path, text))
    assert (config.quiet_hours.from_, config.quiet_hours.to) == ("21:00", "08:00")
    assert (config.opt_out.languages, config.opt_out.confirmation) == (("de",), "")
