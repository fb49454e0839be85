"""``modembank twilio`` beside a running daemon."""

from fakes.daemons import DaemonProcess


def test_accounts_are_added_listed_and_removed(tmp_path):
    with DaemonProcess(tmp_path) as daemon:
        daemon.up()
        assert daemon.run("user", "add", "shop", "--role", "sender").returncode == 0
        refused = daemon.run("twilio", "add", "shop", "--sms-url", "http://127.0.0.1:9999/")
        assert refused.returncode == 1
        assert "/sms_url" in refused.stderr
        made = daemon.run("twilio", "add", "shop", "--sms-url", "https://example.com/sms")
        sid, token = made.stdout.split()
        assert (sid[:2], len(sid), len(token)) == ("AC", 34, 32)
        again = daemon.run("twilio", "add", "shop")
        assert (again.returncode, sid in again.stderr) == (1, True)
        listed = daemon.run("twilio", "list").stdout
        assert f"{sid}  shop  sms=https://example.com/sms  status=-  waiting=0" in listed
        assert token not in listed
        assert daemon.run("twilio", "remove", sid).returncode == 0
        assert daemon.run("twilio", "list").stdout == ""
        assert daemon.run("twilio", "remove", sid).returncode == 1
