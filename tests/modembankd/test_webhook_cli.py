"""``modembank webhook`` beside a running daemon, which ends although somebody listens to its events."""

import signal
import subprocess
import urllib.request

from fakes.daemons import DaemonProcess


def test_webhooks_are_added_listed_tried_and_removed(tmp_path):
    with DaemonProcess(tmp_path) as daemon:
        url = daemon.up()
        assert daemon.run("user", "add", "shop", "--role", "sender").returncode == 0
        refused = daemon.run("webhook", "add", "http://127.0.0.1:9/", "--user", "shop")
        assert refused.returncode == 1
        assert "/url" in refused.stderr
        command = ("webhook", "add", f"{url}/healthz", "--user", "shop", "--event", "message.*", "--allow-private")
        identifier, secret = daemon.run(*command).stdout.split()
        assert secret.startswith("whsec_")
        listed = daemon.run("webhook", "list").stdout
        assert identifier in listed
        assert secret not in listed
        tried = daemon.run("webhook", "test", identifier)
        assert (tried.returncode, "it answered 405" in tried.stderr) == (1, True)
        assert daemon.run("webhook", "remove", identifier).returncode == 0
        assert daemon.run("webhook", "list").stdout == ""


def test_the_daemon_ends_in_time_although_somebody_listens(tmp_path):
    with DaemonProcess(tmp_path) as daemon:
        url = daemon.up()
        daemon.run("user", "add", "root", "--role", "admin")
        key = daemon.run("apikey", "add", "--user", "root").stdout.strip()
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        request = urllib.request.Request(f"{url}/api/v1/events", headers={"API-Key": key})
        with opener.open(request, timeout=20) as stream:
            assert stream.readline() == b"retry: 3000\n"
            assert daemon.signal(signal.SIGTERM) == 0
            stream.read()  # to its end, without an error: it was ended and not cut
        assert "web_stopped" in daemon.log.read_text()
        assert '"in_time": false' not in daemon.log.read_text()
    assert isinstance(daemon.process, subprocess.Popen)
