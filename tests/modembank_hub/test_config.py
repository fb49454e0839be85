"""The hub's configuration file: defaults, and errors that name file, line and key; and its documentation."""

import re
import tomllib
from pathlib import Path

import msgspec
import pytest

from modembank.config import ConfigError, WebConfig
from modembank_fleet.wire import new_signer
from modembank_hub.app import BadSigningKey, ca_dir, crl_file, read_signer
from modembank_hub.config import HubConfig, SigningConfig, load_hub_config

DOCUMENT = (Path(__file__).resolve().parents[2] / "docs" / "hub.md").read_text("utf-8")


def written(folder, text):
    path = folder / "hub.toml"
    path.write_text(text)
    return path


def test_an_empty_file_means_the_defaults(tmp_path):
    assert load_hub_config(written(tmp_path, "")) == HubConfig()


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("[hub]\nworker = 3\n", 2, "unknown key hub.worker; allowed here: id, data_dir, workers"),
        ("[hub]\nworkers = 0\n", 2, "hub.workers"),
        ('[hub]\nid = "The Hub"\n', 2, "lower-case letters"),
        ("[hub\n", 1, "is not TOML"),
        ('[mqtt]\nhost = "hub.example"\n', 2, "another machine"),
        ('[mqtt]\nport = 1883\ntls_cert = "a"\n', 3, "go together"),
        ('[mqtt]\ntls_cert = "a"\ntls_key = "b"\n', 2, "need tls_ca"),
        ('[web]\ntls_cert = "a"\n', 2, "go together"),
        ('[signing]\nkid = "a b"\n', 2, "letters, digits"),
        ("[keep]\nevents_days = 0\n", 2, "keep.events_days"),
        ('[mail]\nhost = "mail.example"\n', 2, "sender must be an address"),
        ('[mail]\nhost = "mail.example"\nsender = "hub"\n', 2, "sender must be an address"),
        ('[mail]\nhost = "mail.example"\nsender = "a@b.c"\nuser = "u"\n', 4, "go together"),
        ('[mail]\nhost = "mail.example"\nsender = "a@b.c"\nsecurity = "none"\n', 4, "another machine"),
        ('[mail]\nsecurity = "ssl"\n', 2, "mail.security"),
        ('[store]\nurl = "mysql://db/hub"\n', 2, "such as postgresql://modembank@db.example.com/modembank"),
        ('[store]\nurl = "postgresql://127.0.0.1"\n', 2, "such as postgresql://modembank@"),
        ('[store]\nurl = "postgresql://[::1/hub"\n', 2, "such as postgresql://modembank@"),
        ('[store]\nurl = "postgresql://hub:SECRET@127.0.0.1/hub"\n', 2, "put that into a file"),
        ('[store]\nurl = "postgresql:///hub?password=SECRET"\n', 2, "put that into a file"),
        ('[store]\nurl = "postgresql:///hub?sslmode=disable"\n', 2, "url takes no sslmode: only host and port"),
        ('[store]\nurl = "postgresql://db.example.com/hub"\n', 2, "another machine: name tls_ca"),
        ('[store]\nurl = "postgresql://127.0.0.1,db.example.com:5433/hub"\n', 2, "db.example.com is another machine"),
        ('[store]\nurl = "postgresql:///hub?host=10.1.2.3"\n', 2, "10.1.2.3 is another machine"),
        ('[store]\nurl = "postgresql://db/hub"\ntls_ca = "/nowhere.pem"\n', 3, "there is no file /nowhere.pem"),
        ('[store]\npassword_file = "/x"\n', 2, "password_file needs url"),
        ('[hub]\nurl = "hub.example.com"\n', 2, "such as https://hub.example.com"),
        ('[hub]\nurl = "https://u:p@hub.example.com"\n', 2, "such as https://hub.example.com"),
    ],
)
def test_a_mistake_is_named_with_its_line(tmp_path, text, line, words):
    with pytest.raises(ConfigError) as caught:
        load_hub_config(written(tmp_path, text))
    assert caught.value.fields["line"] == line
    assert words in str(caught.value)
    assert "SECRET" not in str(caught.value)


@pytest.mark.parametrize(
    "url",
    [
        "postgresql:///modembank",
        "postgresql:///modembank?host=/run/postgresql&port=5433",
        "postgresql://modembank@localhost:5432/modembank",
        "postgresql://modembank@[::1]:5432/modembank",
        "postgresql://modembank@127.0.0.1,localhost:5433/modembank",
    ],
)
def test_a_server_on_this_machine_needs_no_certificate(tmp_path, url):
    assert load_hub_config(written(tmp_path, f'[store]\nurl = "{url}"\n')).store.url == url


def test_a_server_elsewhere_is_one_whose_certificate_is_checked(tmp_path):
    (ca := tmp_path / "ca.pem").write_text("")
    text = f'[store]\nurl = "postgresql://hub@db.example.com/hub"\ntls_ca = "{ca}"\npassword_file = "/p"\n'
    assert load_hub_config(written(tmp_path, text)).store.tls_ca == str(ca)


def test_a_file_that_is_not_there_says_how_one_is_written(tmp_path):
    with pytest.raises(ConfigError, match=r"docs/hub\.md"):
        load_hub_config(tmp_path / "hub.toml")


def test_the_reference_names_every_key_with_its_default():
    for section in msgspec.structs.fields(HubConfig):
        if section.name in {"web", "log"}:
            continue
        for key in msgspec.structs.fields(section.type):
            row = re.search(rf"^\| `\[{section.name}\]` `{key.name}` \| ([^|]*) \|", DOCUMENT, re.MULTILINE)
            assert row is not None, f"{section.name}.{key.name}"
            assert row[1].strip() == _written(key.default), f"{section.name}.{key.name}"
    assert f'`listen = "{HubConfig().web.listen}"`' in DOCUMENT
    assert HubConfig().web != WebConfig()


def _written(default):
    if isinstance(default, str):
        return f'`"{default}"`'
    return "`[]`" if default == () else f"`{default:g}`"


def test_the_example_is_a_configuration(tmp_path):
    (example,) = re.findall(r"```toml\n(.*?)```", DOCUMENT, re.DOTALL)
    assert tomllib.loads(example)
    load_hub_config(written(tmp_path, example))


def test_a_key_is_read_by_its_owner_alone(tmp_path):
    signer = new_signer("h3")
    path = tmp_path / "key"
    path.write_text(signer.private.hex() + "\n")
    path.chmod(0o640)
    with pytest.raises(BadSigningKey, match="chmod 600"):
        read_signer(SigningConfig(str(path), "h3"))
    path.chmod(0o600)
    assert read_signer(SigningConfig(str(path), "h3")) == signer
    assert read_signer(SigningConfig()) is None


@pytest.mark.parametrize("text", ["", "xyz", "00" * 31, "00" * 33])
def test_what_is_no_key_is_refused_and_never_shown(tmp_path, text):
    path = tmp_path / "key"
    path.write_text(text)
    path.chmod(0o600)
    with pytest.raises(BadSigningKey) as caught:
        read_signer(SigningConfig(str(path)))
    assert not text or text not in str(caught.value)


def test_a_key_that_is_not_there_is_named(tmp_path):
    with pytest.raises(BadSigningKey, match="cannot be read"):
        read_signer(SigningConfig(str(tmp_path / "none")))


GOOD = 'address = "https://hub.example.com:8443"\nbrokers = ["mqtts://hub.example.com:8883"]\n'


@pytest.mark.parametrize(
    ("lines", "line", "words"),
    [
        ('address = "hub.example.com"\n', 2, "https://hub.example.com:8443"),
        ('address = "http://hub.example.com"\nbrokers = ["mqtts://hub"]\n', 2, "https://hub.example.com:8443"),
        ('address = "https://hub/enrol"\nbrokers = ["mqtts://hub"]\n', 2, "no path"),
        ('address = "https://hub.example.com"\n', 2, "address needs brokers"),
        ('address = "https://hub"\nbrokers = ["mqtt://hub.example.com"]\n', 3, "without TLS"),
        ('address = "https://hub"\nbrokers = ["hub.example.com"]\n', 3, "enrolment.brokers"),
        (GOOD + 'listen = "everywhere"\n', 4, "enrolment.listen"),
        (GOOD + 'broker_ca = "/no/such/file.pem"\n', 4, "there is no file"),
        (GOOD + "token_hours = 0\n", 4, "enrolment.token_hours"),
        (GOOD + "certificate_days = 0\n", 4, "enrolment.certificate_days"),
        (GOOD + 'names = ["a b"]\n', 4, "enrolment.names"),
        (GOOD + "crl = 1\n", 4, "crl"),
    ],
)
def test_a_mistake_of_the_enrolment_is_named_with_its_line(tmp_path, lines, line, words):
    with pytest.raises(ConfigError) as caught:
        load_hub_config(written(tmp_path, f"[enrolment]\n{lines}"))
    assert words in str(caught.value)
    assert caught.value.fields["line"] == line


def test_where_the_authority_and_the_list_are(tmp_path):
    config = load_hub_config(written(tmp_path, f'[hub]\ndata_dir = "/d"\n[enrolment]\n{GOOD}'))
    assert (str(ca_dir(config)), str(crl_file(config))) == ("/d/ca", "/d/ca/crl.pem")
    more = 'ca_dir = "/ca"\ncrl_file = "/etc/mosquitto/crl.pem"\n'
    config = load_hub_config(written(tmp_path, f"[enrolment]\n{GOOD}{more}"))
    assert (str(ca_dir(config)), str(crl_file(config))) == ("/ca", "/etc/mosquitto/crl.pem")
