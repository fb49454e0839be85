"""What systemd hands over at the start: listening sockets and PINs."""

import os
import shlex
import socket
import urllib.request

import pytest

from fakes.daemons import MODEMBANK, DaemonProcess
from modembank.config import Config, SimConfig
from modembankd.handed_over import BadCredential, sockets_from_systemd, with_credentials

FIRST = "8944110000000000001"
SECOND = "8944110000000000002"


def passed(**more):
    return {"LISTEN_FDS": "1", "LISTEN_PID": str(os.getpid())} | more


def test_sockets_for_this_process_are_taken():
    with socket.create_server(("127.0.0.1", 0)) as made:
        (taken,) = sockets_from_systemd(passed(), first_fd=os.dup(made.fileno()))
        with taken:
            assert taken.getsockname() == made.getsockname()
            assert not taken.get_inheritable()
            assert not taken.getblocking()


@pytest.mark.parametrize("environ", [{}, passed(LISTEN_PID="1"), passed(LISTEN_PID=""), passed(LISTEN_FDS="x")])
def test_sockets_for_others_are_not(environ):
    assert sockets_from_systemd(environ) == ()


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


def handing_over(listening):
    listening.set_inheritable(True)
    script = f'exec 3<&{listening.fileno()}; export LISTEN_FDS=1 LISTEN_PID=$$; exec {shlex.quote(str(MODEMBANK))} "$@"'
    return ["bash", "-c", script, "bash"], (listening.fileno(),)


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
