"""What systemd hands over at the start: listening sockets and PINs."""

import fcntl
import http.client
import os
import shlex
import signal
import socket
import ssl
import urllib.request
from datetime import UTC, datetime, timedelta

import pytest

from fakes.daemons import MODEMBANK, DaemonProcess
from modembank.config import Config, HomeAssistantConfig, SimConfig
from modembank.mail_config import MailOutConfig
from modembank_box.openssl import make_certificate, make_key
from modembankd.handed_over import (
    BadCredential,
    HubToken,
    Sockets,
    hub_token,
    sockets_from_systemd,
    with_credentials,
)

FIRST = "8944110000000000001"
SECOND = "8944110000000000002"


def passed(**more):
    return {"LISTEN_FDS": "1", "LISTEN_PID": str(os.getpid())} | more


def test_sockets_for_this_process_are_taken():
    with socket.create_server(("127.0.0.1", 0)) as made:
        (taken,) = sockets_from_systemd(passed(), first_fd=os.dup(made.fileno())).web
        with taken:
            assert taken.getsockname() == made.getsockname()
            assert not taken.get_inheritable()
            assert not taken.getblocking()


@pytest.mark.parametrize("environ", [{}, passed(LISTEN_PID="1"), passed(LISTEN_PID=""), passed(LISTEN_FDS="x")])
def test_sockets_for_others_are_not(environ):
    assert sockets_from_systemd(environ) == Sockets()


@pytest.mark.parametrize(
    ("names", "web", "redirect"),
    [("web:http", "a", "b"), ("http:web", "b", "a"), ("", "ab", ""), ("http", "b", "a"), ("web", "ab", "")],
)
def test_what_is_answered_on_a_socket_goes_by_its_name(names, web, redirect):
    with socket.create_server(("127.0.0.1", 0)) as a, socket.create_server(("127.0.0.1", 0)) as b:
        first = fcntl.fcntl(a.fileno(), fcntl.F_DUPFD, 200)
        assert fcntl.fcntl(b.fileno(), fcntl.F_DUPFD, first + 1) == first + 1
        taken = sockets_from_systemd(passed(LISTEN_FDS="2", LISTEN_FDNAMES=names), first_fd=first)
        called = {a.getsockname(): "a", b.getsockname(): "b"}
        found = ["".join(called[one.getsockname()] for one in part) for part in (taken.web, taken.redirect)]
        for one in (*taken.web, *taken.redirect):
            one.close()
    assert found == [web, redirect]


def test_a_daemon_answers_on_the_socket_it_was_handed_and_on_none_else(tmp_path):
    """As systemd does it: descriptor 3, and the process id of what it becomes."""
    with socket.create_server(("127.0.0.1", 0)) as made, socket.create_server(("127.0.0.1", 0)) as taken:
        port = made.getsockname()[1]
        elsewhere = taken.getsockname()[1]  # whoever listened there would fail
        data = tmp_path / "data"
        config = f'[box]\ndata_dir = "{data}"\n[web]\nlisten = "127.0.0.1:{elsewhere}"\n'
        with DaemonProcess(tmp_path, config, command=handing_over(made)) as daemon:
            assert daemon.up() == f"http://127.0.0.1:{port}"
            opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
            with opener.open(f"http://127.0.0.1:{port}/readyz", timeout=20) as answer:
                assert answer.status == 200


def handing_over(*listening, names=""):
    """A command that becomes the daemon, with these sockets as its descriptors from 3 on."""
    for one in listening:
        one.set_inheritable(True)
    own = tuple(one.fileno() for one in listening)
    away = " ".join(f"{200 + index}<&{fd}" for index, fd in enumerate(own))  # where none of them can be in the way
    back = " ".join(f"{3 + index}<&{200 + index}" for index in range(len(own)))
    variables = f"LISTEN_FDS={len(own)} LISTEN_FDNAMES={names} LISTEN_PID=$$"
    script = f'exec {away}; exec {back}; export {variables}; exec {shlex.quote(str(MODEMBANK))} "$@"'
    return ["bash", "-c", script, "bash"], own


def ask(port, path, *, trust=None):
    """One request over a connection of its own; the answer with its headers, no redirect followed."""
    kind = http.client.HTTPConnection if trust is None else http.client.HTTPSConnection
    connection = kind("127.0.0.1", port, timeout=20, **({} if trust is None else {"context": trust}))
    connection.request("GET", path)
    answer = connection.getresponse()
    shown = connection.sock.getpeercert(binary_form=True) if trust else b""
    connection.close()
    return answer, shown


def test_s06_a_daemon_sends_browsers_to_https_and_takes_up_a_renewed_certificate(tmp_path):
    """Without being started anew: what is under way goes on."""
    key, crt, begins = make_key(), tmp_path / "tls.crt", datetime.now(UTC) - timedelta(days=1)
    (tmp_path / "tls.key").write_bytes(key)
    made = [
        make_certificate(key, names, begins, begins + timedelta(days=9))
        for names in (("127.0.0.1",), ("localhost", "127.0.0.1"))
    ]
    crt.write_bytes(made[0])
    trust = ssl.create_default_context(cadata=b"".join(made).decode())
    with socket.create_server(("127.0.0.1", 0)) as plain, socket.create_server(("127.0.0.1", 0)) as web:
        port, config = web.getsockname()[1], f'[box]\ndata_dir = "{tmp_path}/data"\n[web]\ntls_cert = "{crt}"\n'
        config += f'tls_key = "{tmp_path}/tls.key"\n'
        with DaemonProcess(tmp_path, config, command=handing_over(plain, web, names="http:web")) as daemon:
            assert daemon.up() == f"https://127.0.0.1:{port}"
            answer, _ = ask(plain.getsockname()[1], "/ui?a=b")
            assert (answer.status, answer.headers["location"]) == (308, f"https://127.0.0.1:{port}/ui?a=b")
            answer, first = ask(port, "/readyz", trust=trust)
            assert (answer.status, answer.headers["strict-transport-security"]) == (200, None)
            for content, said in ((b"none", "certificate_not_taken"), (made[1], "certificate_taken")):
                crt.write_bytes(content)
                daemon.process.send_signal(signal.SIGUSR1)
                daemon.until(lambda said=said: said in daemon.log.read_text())
                renewed = ask(port, "/readyz", trust=trust)[1]
                assert (renewed == first) == (content == b"none")
            assert renewed == ssl.PEM_cert_to_DER_cert(made[1].decode())


def test_without_credentials_the_file_is_what_counts(tmp_path):
    config = Config(sim=(SimConfig(FIRST, pin="1111"),))
    assert with_credentials(config, {}) == config
    assert with_credentials(config, {"CREDENTIALS_DIRECTORY": str(tmp_path)}) == config


def test_a_pin_that_came_as_a_credential_wins_and_may_be_of_a_sim_the_file_does_not_name(tmp_path):
    (tmp_path / f"modembank.pin.{FIRST}").write_text("2222\n")
    (tmp_path / f"modembank.pin.{SECOND}").write_text("33333333")
    (tmp_path / "modembank.tls.key").write_text("another's")
    config = Config(sim=(SimConfig(FIRST, label="left", pin="1111"),))
    assert with_credentials(config, {"CREDENTIALS_DIRECTORY": str(tmp_path)}).sim == (
        SimConfig(FIRST, label="left", pin="2222"),
        SimConfig(SECOND, pin="33333333"),
    )


def test_a_password_that_came_as_a_credential_wins_over_the_file(tmp_path):
    config = Config(home_assistant=HomeAssistantConfig(username="box", password_file="/etc/other"))
    (given := tmp_path / "modembank.home-assistant.password").write_text("open sesame")
    home = with_credentials(config, {"CREDENTIALS_DIRECTORY": str(tmp_path)}).home_assistant
    assert (home.username, home.password_file) == ("box", str(given))


def test_each_mail_server_has_a_credential_of_its_own(tmp_path):
    servers = tuple(
        MailOutConfig(name, "mail.example.com", "sms@example.com", username="box", password_file="/etc/other")
        for name in ("office", "other")
    )
    (given := tmp_path / "modembank.mail-out.office.password").write_text("open sesame")
    config = with_credentials(Config(mail_out=servers), {"CREDENTIALS_DIRECTORY": str(tmp_path)})
    assert [server.password_file for server in config.mail_out] == [str(given), "/etc/other"]
    assert with_credentials(Config(mail_out=servers), {}).mail_out == servers


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        (FIRST, b"12345678901", "4 to 8 digits"),
        (FIRST, b"\xff", "cannot be read"),
        ("left", b"1234", "18 to 20 digits"),
    ],
)
def test_a_credential_that_is_none_is_named_and_never_shown(tmp_path, name, content, says):
    (tmp_path / f"modembank.pin.{name}").write_bytes(content)
    with pytest.raises(BadCredential, match=says) as refused:
        with_credentials(Config(), {"CREDENTIALS_DIRECTORY": str(tmp_path)})
    assert f"modembank.pin.{name}" in str(refused.value)
    assert "12345678901" not in str(refused.value)


def test_the_daemon_says_which_credential_is_wrong(tmp_path):
    credentials = tmp_path / "credentials"
    credentials.mkdir()
    (credentials / f"modembank.pin.{FIRST}").write_text("none")
    with DaemonProcess(tmp_path, env={"CREDENTIALS_DIRECTORY": str(credentials)}) as daemon:
        assert daemon.ended() == 1
    assert f"the credential modembank.pin.{FIRST} must hold 4 to 8 digits" in daemon.log.read_text()


# -- the hub's token


def credential(folder, content):
    (folder / "modembank.hub.token").write_bytes(content)
    return {"CREDENTIALS_DIRECTORY": str(folder)}


def test_without_a_credential_there_is_no_token_of_a_hub(tmp_path):
    assert hub_token({}) is None
    assert hub_token({"CREDENTIALS_DIRECTORY": str(tmp_path)}) is None


@pytest.mark.parametrize(
    ("content", "token"),
    [
        (b'{"token": "mbh1_x"}', HubToken("mbh1_x")),
        (b'{"token": "mbh1_x", "url": "https://hub.example.org/"}', HubToken("mbh1_x", "https://hub.example.org")),
        (b'{"token": "mbh1_x", "url": ""}', HubToken("mbh1_x", "")),
        (b"{}", HubToken("", "")),
    ],
)
def test_the_token_of_a_hub_is_taken_as_the_first_start_s_file_has_it(tmp_path, content, token):
    assert hub_token(credential(tmp_path, content)) == token


@pytest.mark.parametrize("content", [b"", b"mbh1_secret", b'{"token": 1}', b"[]", b"\xff"])
def test_a_token_that_cannot_be_read_is_said_without_what_is_in_it(tmp_path, content):
    with pytest.raises(BadCredential) as caught:
        hub_token(credential(tmp_path, content))
    assert "modembank.hub.token" in str(caught.value)
    assert "secret" not in str(caught.value)
