"""The owner's file: read as any editor writes it, each mistake with its line, the good parts applied all the same."""

import base64
import json
import re
import struct
import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fakes.machines import ROOT
from modembank.config import load_config
from modembank_box import boot_files
from modembank_box.cli import main
from modembank_box.first_boot import files as rendered
from modembank_box.first_boot.reading import MOST, Read, read
from modembank_box.first_boot.rules import FIELDS, PARTS, judge
from modembank_box.places import Places
from modembank_box.states import read_state, write_state


def key(kind="ssh-ed25519"):
    blob = struct.pack(">I", len(kind)) + kind.encode() + struct.pack(">I", 32) + bytes(range(32))
    return f"{kind} {base64.b64encode(blob).decode()} me@desk"


WHOLE = f"""
hostname = "ward-7"
region = "GB"
timezone = "Europe/London"

[network]
address = ["192.168.1.20/24", "fd00::20/64"]
gateway = "192.168.1.1"
dns = ["192.168.1.1"]
ntp = "time.example.org"

[wifi]
ssid = "Caf\u00e9"
passphrase = 'say "please" \\n'
country = "GB"

[ssh]
authorized_keys = "{key()}"

[hub]
url = "https://hub.example.org"
token = "0123456789abcdef0123"  # of the page Boxes

[updates]
automatic = true
window = "02:00-05:00"
hosts = ["updates.example.org", "mirror.example.org"]
"""


class Box:
    def __init__(self, root):
        self.places = Places(root)
        for folder in (self.places.boot, self.places.data, self.places.etc):
            folder.mkdir(parents=True)
        self.file = self.places.boot / "box.toml"

    def start(self, text=None, *, raw=None):
        """Start with this file and return what the mistakes are."""
        if text is not None or raw is not None:
            self.file.write_bytes(raw if raw is not None else text.encode())
        assert main(["--root", str(self.places.root), "begin"]) == 0
        self.state = read_state(self.places.state("personal"))
        return [(each["line"], each["field"]) for each in self.state["mistakes"]]

    def text(self, name):
        path = self.places.root / name
        return path.read_text() if path.exists() else None

    @property
    def name(self):
        return self.text("etc/hostname").strip()


@pytest.fixture
def box(tmp_path):
    return Box(tmp_path / "root")


def test_without_a_file_the_box_is_as_it_comes(box):
    assert box.start() == []
    assert (box.state["applied"], box.state["file"]) == (True, None)
    assert box.name == "modembank"
    assert (box.places.etc / "localtime").readlink().as_posix() == "../usr/share/zoneinfo/Etc/UTC"
    made = {str(path.relative_to(box.places.root)) for path in box.places.root.rglob("*") if path.is_file()}
    assert made == {"etc/hostname", "etc/hosts", "etc/modembank/modembank.toml", "run/modembank-box/personal.json"}


def test_a_whole_file(box):
    assert box.start(WHOLE) == []
    assert box.state["applied"] is True
    assert box.name == "ward-7"
    assert "127.0.1.1\tward-7.local ward-7\n" in box.text("etc/hosts")
    assert (box.places.etc / "localtime").readlink().as_posix().endswith("Europe/London")
    assert box.text(rendered.LAN).splitlines() == [
        *("[Network]", "DNS=192.168.1.1", "DHCP=no", "Address=192.168.1.20/24", "Address=fd00::20/64"),
        "Gateway=192.168.1.1",
    ]
    assert box.text(rendered.TIME_SERVERS) == "[Time]\nNTP=time.example.org\n"
    assert box.text(rendered.SSH_KEYS) == f"{key()}\n"
    assert box.text(rendered.UPDATES) == (
        'automatic = true\nwindow = "02:00-05:00"\nhosts = ["updates.example.org", "mirror.example.org"]\n'
    )
    assert "\tssid=436166c3a9\n" in box.text(rendered.WIFI)
    assert '\tpsk="say "please" \\n"\n' in box.text(rendered.WIFI)
    assert "country=GB\n" in box.text(rendered.WIFI)


def test_secrets_are_for_root_alone_and_the_rest_for_who_needs_it(box):
    box.start(WHOLE)
    modes = {name: (box.places.root / name).stat().st_mode & 0o777 for name, file in rendered.files({}).items() if file}
    assert modes == {"etc/hostname": 0o644, "etc/hosts": 0o644, rendered.DAEMON: 0o640}
    for name in (rendered.WIFI, rendered.SSH_KEYS, "data/box/hub.json", "data/box/personal.json"):
        assert (box.places.root / name).stat().st_mode & 0o777 == 0o600, name
    assert "0123456789abcdef" not in box.text("run/modembank-box/personal.json")


def test_the_daemon_takes_the_configuration(box):
    box.start(WHOLE)
    config = load_config(box.places.root / rendered.DAEMON)
    assert (config.box.id, config.box.region, config.bank.discovery) == ("ward-7", "GB", "usb")
    assert config.web.tls_key.startswith("/run/credentials/modembankd.service/")
    box.start("")
    assert load_config(box.places.root / rendered.DAEMON).box.region == ""


def test_what_is_taken_out_of_the_file_is_no_more_at_the_next_start(box):
    box.start(WHOLE)
    box.start('hostname = "ward-8"\n')
    assert box.name == "ward-8"
    for name in (rendered.LAN, rendered.TIME_SERVERS, rendered.WIFI, rendered.SSH_KEYS, rendered.UPDATES):
        assert box.text(name) is None, name


@pytest.mark.parametrize(
    ("raw", "name"),
    [
        (b'hostname = "ward-7"\r\n[network]\r\ndhcp = true\r\n', "box.toml"),
        (b'\xef\xbb\xbfhostname = "ward-7"\n', "box.toml"),
        ('\ufeffhostname = "ward-7"\r\n'.encode("utf-16-le"), "box.toml"),
        ('\ufeffhostname = "ward-7"\r\n'.encode("utf-16-be"), "BOX.TOML"),
        (b'hostname = "ward-7"', "box.toml.txt"),
        (b'hostname = "ward-7"', "Box.toml.TXT"),
    ],
)
def test_as_windows_writes_it(box, raw, name):
    box.file = box.places.boot / name
    assert box.start(raw=raw) == []
    assert (box.name, box.state["file"]) == ("ward-7", name)


def test_of_two_files_the_one_with_the_right_name_counts(box):
    (box.places.boot / "box.toml.txt").write_text('hostname = "other"')
    box.start('hostname = "ward-7"')
    assert box.name == "ward-7"


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("hostname = ward-7\n", 1, "Text stands in quotes"),
        ('region = "GB"\nhostname = \u201cward-7\u201d\n', 2, "curly"),
        ('region = "GB"\n\n[network\naddress = "x"\n', 3, "[network]"),
        ("hostname ward\n", 1, "name ="),
        ('hostname = "a"\nhostname = "b"\n', 2, "name ="),
        ('hostname = "ward', 1, "name ="),
        ("region = 'GB'\ntimezone = [\n", 2, "name ="),
    ],
)
def test_what_is_no_toml_has_its_line(box, text, line, words):
    assert box.start(text) == [(line, "")]
    assert words in box.state["mistakes"][0]["way_out"]
    assert box.name == "modembank"


@pytest.mark.parametrize("raw", [b'hostname = "ward"\n# caf\xe9\n', b"a" * (MOST + 1), b"\x00\x01"])
def test_what_is_no_text_is_told(box, raw):
    (mistake,) = box.start(raw=raw)
    assert mistake[0] in {0, 1, 2}
    assert box.state["mistakes"][0]["reason"]


def test_a_folder_of_that_name_is_told(box):
    box.file.mkdir()
    assert box.start() == [(0, "")]


@pytest.mark.parametrize(
    ("text", "where", "words"),
    [
        ('hostname = "Ward 7"', (1, "hostname"), '"ward-7"'),
        ("hostname = 7", (1, "hostname"), "quotes"),
        ('hostname = "-x"', (1, "hostname"), '"x"'),
        ('region = "UK"', (1, "region"), '"GB"'),
        ('region = "gb"', (1, "region"), '"GB"'),
        ('timezone = "Europe/Londn"', (1, "timezone"), "Europe/London"),
        ('timezone = "../../etc/passwd"', (1, "timezone"), "Such as"),
        ('\n[network]\naddress = "192.168.1.20"', (3, "network.address"), "/24"),
        ('[network]\naddress = "192.168.1.0/24"', (2, "network.address"), "/24"),
        ('[network]\naddress = "127.0.0.1/8"', (2, "network.address"), "/24"),
        ('[network]\naddress = "192.168.1.300/24"', (2, "network.address"), "/24"),
        ("[network]\naddress = []", (2, "network.address"), ""),
        ('[network]\naddress = "192.168.1.20/24"\ngateway = "192.168.2.1"', (3, "network.gateway"), ""),
        ('[network]\ngateway = "192.168.2.1"', (2, "network.gateway"), "address"),
        ('[network]\naddress = "192.168.1.20/24"\ndhcp = true', (3, "network.dhcp"), "dhcp"),
        ("[network]\ndhcp = false", (2, "network.dhcp"), "address"),
        ('[network]\ndhcp = "yes"', (2, "network.dhcp"), "quotes"),
        ('[network]\ndns = "router"', (2, "network.dns"), "192"),
        ('[network]\nntp = "a b"', (2, "network.ntp"), "pool"),
        ('[updates]\nhosts = "https://x.org/"', (2, "updates.hosts"), "updates.example.org"),
        ('[network]\nadress = "192.168.1.20/24"', (2, "network.adress"), "Did you mean address?"),
        ('[network]\nhostname = "x"', (2, "network.hostname"), "before all tables"),
        ('[network]\nssid = "x"', (2, "network.ssid"), "[wifi]"),
        ('[netwrok]\naddress = "192.168.1.20/24"', (1, "netwrok"), "Did you mean network?"),
        ('network = "dhcp"', (1, "network"), "[network]"),
        ('[wifi]\nssid = "x"\npassphrase = "12345678"', (1, "wifi.country"), "[wifi]"),
        ('[wifi]\nssid = "x"\npassphrase = "short"\ncountry = "GB"', (3, "wifi.passphrase"), "join"),
        ('[wifi]\nssid = ""\npassphrase = "12345678"\ncountry = "GB"', (2, "wifi.ssid"), ""),
        ('[wifi]\nssid = "x"\npassphrase = "1234567\\n"\ncountry = "GB"', (3, "wifi.passphrase"), ""),
        ('[ssh]\nauthorized_keys = ["ssh-ed25519 AAAA"]', (2, "ssh.authorized_keys"), ".pub"),
        (f'[ssh]\nauthorized_keys = "command=x {key()}"', (2, "ssh.authorized_keys"), ".pub"),
        ('[ssh]\nauthorized_keys = "-----BEGIN OPENSSH PRIVATE KEY-----"', (2, "ssh.authorized_keys"), "new pair"),
        ('[hub]\nurl = "http://hub"', (2, "hub.url"), "https"),
        ('[hub]\nurl = "https://hub"\ntoken = "short"', (3, "hub.token"), "whole"),
        ('[updates]\nwindow = "2-5"', (2, "updates.window"), "02:00"),
        ("[updates]\nautomatic = 1", (2, "updates.automatic"), "quotes"),
    ],
)
def test_a_mistake_has_its_line_its_field_and_a_way_out(box, text, where, words):
    assert where in box.start(text)
    mistake = next(each for each in box.state["mistakes"] if (each["line"], each["field"]) == where)
    assert mistake["reason"]
    assert words in mistake["way_out"]
    assert box.state["applied"] is False


def test_every_field_has_a_value_that_is_refused():
    """The cases above leave no field out."""
    for field in FIELDS:
        with pytest.raises(Exception, match=r"must|holds"):
            field.check(None)


def test_the_good_parts_of_a_file_with_mistakes_are_applied(box):
    assert box.start(WHOLE.replace('"Caf\u00e9"', '""').replace('"GB"', '"XXX"', 1)) == [
        (3, "region"),
        (13, "wifi.ssid"),
    ]
    assert box.name == "ward-7"
    assert "Address=192.168.1.20/24" in box.text(rendered.LAN)
    assert box.text(rendered.WIFI) is None


def test_a_part_with_a_mistake_counts_as_it_last_was_right(box):
    box.start(WHOLE)
    box.start(box.file.read_text().replace("192.168.1.20/24", "192.168.1.20").replace("ward-7", "ward-8"))
    assert box.name == "ward-8"
    assert "Address=192.168.1.20/24" in box.text(rendered.LAN)
    assert box.state["kept"] == ["network"]
    box.start(box.file.read_text().replace('"192.168.1.20"', '"192.168.1.21/24"'))
    assert "Address=192.168.1.21/24" in box.text(rendered.LAN)
    assert box.state["kept"] == []


def test_a_file_that_is_no_toml_leaves_all_as_it_was(box):
    box.start(WHOLE)
    box.start("hostname = ward-8\n")
    assert box.name == "ward-7"
    assert box.text(rendered.WIFI)
    assert box.state["kept"] == ["hostname", "network", "region", "ssh", "timezone", "updates", "wifi"]


def test_the_token_of_the_hub_is_taken_and_removed_from_the_boot_partition(box):
    box.start(WHOLE)
    assert json.loads(box.text("data/box/hub.json")) == {
        "url": "https://hub.example.org",
        "token": "0123456789abcdef0123",
    }
    left = box.file.read_bytes()
    assert b"0123456789abcdef" not in left
    assert b"The token was taken" in left
    assert b'hostname = "ward-7"\r\n' in left
    assert [path.name for path in box.places.boot.iterdir()] == ["box.toml"]
    assert box.start() == []
    assert json.loads(box.text("data/box/hub.json"))["token"] == "0123456789abcdef0123"
    assert box.file.read_bytes() == left


def test_the_daemon_gets_the_token_at_each_start_as_a_credential(box):
    given = box.places.root / "run/credstore/modembank.hub.token"
    assert box.start() == []
    assert not given.exists()
    box.start('[hub]\ntoken = "0123456789abcdef0123"\n')  # which says where the hub is
    assert json.loads(given.read_text()) == {"token": "0123456789abcdef0123"}
    assert given.stat().st_mode & 0o777 == 0o600
    assert given.parent.stat().st_mode & 0o777 == 0o700
    given.unlink()  # the next start
    assert box.start() == []
    assert json.loads(given.read_text()) == {"token": "0123456789abcdef0123"}
    box.start('[hub]\ntoken = "another-0123456789"\nurl = "https://10.0.0.7:8443"\n')
    assert json.loads(given.read_text()) == {"token": "another-0123456789", "url": "https://10.0.0.7:8443"}
    (box.places.data / "box/hub.json").unlink()  # a factory reset
    assert box.start() == []
    assert not given.exists()


def test_a_table_of_the_hub_whose_token_was_taken_is_right(box):
    assert box.start("[hub]\n") == []
    assert box.start('[hub]\nurl = "https://hub.example.org"\n') == []


def test_where_nothing_is_kept_the_token_stays(box):
    write_state(box.places.state("data"), {"state": "in_memory"})
    assert box.start(WHOLE) == []
    assert "0123456789abcdef0123" in box.file.read_text()
    assert not (box.places.root / "run/credstore/modembank.hub.token").exists()


def test_a_token_that_cannot_be_removed_is_told(box, monkeypatch):
    def full(path, content):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(boot_files, "put", full)
    assert box.start(WHOLE) == [(22, "hub.token")]
    assert "remove the line yourself" in box.state["mistakes"][0]["way_out"]
    assert (
        box.start('[hub]\nurl = "https://hub.example.org"\ntoken = """\n0123456789abcdef0123"""\n')[0][1] == "hub.token"
    )


def test_lines_are_found_in_any_way_of_writing(tmp_path):
    (tmp_path / "box.toml").write_text(
        '# x = 1\n"region" = 1\n\n [ network ] # here\n  dns\t= [\n 1 ]\nwifi.ssid = 3\n'
    )
    found = read(tmp_path)
    assert [found.line(name) for name in ("region", "network", "network.dns", "wifi.ssid", "nothing")] == [
        2,
        4,
        5,
        0,
        0,
    ]


def test_dotted_keys_are_tables_too(tmp_path):
    (tmp_path / "box.toml").write_text('network.address = "10.0.0.5/8"\nnetwork.gateway = "1"\n')
    parts, mistakes = judge(read(tmp_path))
    assert parts == {}
    assert [(each.line, each.field) for each in mistakes] == [(2, "network.gateway")]


def test_parts_are_what_the_files_are_made_of():
    assert set(PARTS) == {"hostname", "region", "timezone", "network", "wifi", "ssh", "hub", "updates"}


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.dates(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)
names = st.sampled_from([field.name.rpartition(".")[2] for field in FIELDS])
file_contents = st.dictionaries(
    st.sampled_from(PARTS) | st.text(), anything | st.dictionaries(names | st.text(), anything, max_size=4), max_size=4
)


@given(file_contents)
def test_no_content_is_more_than_a_mistake(content):
    parts, mistakes = judge(Read(Path("box.toml"), "", content))
    assert set(parts) | {each.field.partition(".")[0] for each in mistakes} >= {
        part for part in content if part in PARTS
    }
    assert all(mistake.reason for mistake in mistakes)
    rendered.files(parts)


@given(st.binary(max_size=300))
def test_no_file_is_more_than_a_mistake(tmp_path_factory, raw):
    folder = tmp_path_factory.mktemp("boot")
    (folder / "box.toml").write_bytes(raw)
    found = read(folder)
    assert (found.content is None) == bool(found.mistakes)


def test_the_example_names_every_field_and_is_right_but_for_what_is_to_be_filled_in(tmp_path):
    text = (ROOT / "image/files/boot/box.example.toml").read_text()
    assert tomllib.loads(text) == {}
    filled = re.sub(r"(?m)^#(?=[a-z\[])", "", text).replace("ssh-ed25519 AAAA... you@your-computer", key())
    (tmp_path / "box.toml").write_text(filled)
    parts, mistakes = judge(read(tmp_path))
    assert [mistake.field for mistake in mistakes] == ["hub.token"]
    given = {
        f"{part}.{each}" for part, value in tomllib.loads(filled).items() if isinstance(value, dict) for each in value
    }
    given |= set(parts)
    assert {field.name for field in FIELDS} - given == {"network.dhcp"}


def test_the_reference_names_every_field():
    text = (ROOT / "docs/box.md").read_text()
    assert re.findall(r"(?m)^\| `([a-z_.]+)` \|", text.partition("## The console")[0]) == [
        field.name for field in FIELDS
    ]


def test_a_start_tells_what_is_known_at_once(tmp_path):
    """And what of it cannot be told stops nothing."""
    box = Box(tmp_path / "root")
    box.start('hostname = "clinic"\n')
    assert box.name == "clinic"
    assert not box.places.state("release").exists(), "here no release was started"
    slot = box.places.run / "system"
    slot.mkdir(parents=True)
    (slot / "release.toml").write_text('version = "1.2.3"\nbuild = "x"\narchitecture = "amd64"\nschema = 12\n')
    (box.places.root / "proc").mkdir()
    (box.places.root / "proc/cmdline").write_text("quiet modembank.slot=b\n")
    box.start()
    assert read_state(box.places.state("release"))["version"] == "1.2.3"
    assert read_state(box.places.state("release"))["slot"] == "b"
    assert read_state(box.places.state("update"))["state"] == "idle"
