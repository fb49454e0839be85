"""What the keys of the configuration mean, in the words of docs/configuration.md, which is not installed with us."""

from __future__ import annotations

MEANINGS = {
    "box.id": "name of this box: lower-case letters, digits, hyphens",
    "box.site": "where it stands, for people",
    "box.data_dir": "database, control socket, failed PINs, PINs that were typed",
    "box.region": "ISO 3166 country of national numbers (GB); empty: only + numbers are understood",
    "web.listen": (
        "address and port; 0.0.0.0:8080 for the LAN; port 0 takes any and writes it to data_dir/address. "
        "Listening sockets that systemd passes are taken instead"
    ),
    "web.tls_cert": "PEM files; both or neither",
    "web.tls_key": "PEM files; both or neither",
    "bank.discovery": (
        "static: the ports listed here; usb: also every modem that is found on the USB, now or later (discovery.md)"
    ),
    "bank.ignore": 'places on the USB that discovery leaves alone, such as ["usb:1-1.2"]',
    "bank.send_timeout_s": (
        "how long a modem may take from Ctrl-Z to its final result; after that the message is unknown. "
        "Manuals say 120 s, 135 s were seen: a lower value makes more messages unknown, not fewer"
    ),
    "bank.usb_power": (
        "uhubctl: the last rung of recovery cycles the power of a modem's USB port; auto: where that program "
        "and the hub can; none: never. See recovery.md"
    ),
    "bank.port.path": (
        "a place on the USB such as usb:1-1.4.3 (discovery.md), or a tty, or socket://host:port, or rfc2217://host:port"
    ),
    "bank.port.label": "the slot's name",
    "bank.port.baudrate": "without meaning on USB",
    "bank.port.pin": (
        "tried once, never when fewer than three attempts are left; one that was typed on the modem's page and opened "
        "the SIM counts before it"
    ),
    "limits.min_interval_s": "between the starts of two messages",
    "limits.per_minute": "60 seconds",
    "limits.per_hour": "60 minutes",
    "limits.per_day": "24 hours",
    "limits.per_month": "31 days, so that no calendar month exceeds it either",
    "limits.recipients_per_month": "distinct recipients in 31 days",
    "sim.iccid": "which; 18 to 20 digits",
    "sim.label": "its name, and the pool it belongs to",
    "sim.msisdn": "its own number, where the SIM does not tell it",
    "sim.pin": "wins over the port's; a credential modembank.pin.ICCID from systemd wins over both",
    "sending.valid_for_s": "after that a waiting message expires instead of going out late",
    "sending.on_unknown": (
        "a segment that may or may not have been sent is not sent again and stays unknown; resend sends it "
        "again (promise.md)"
    ),
    "sending.max_segments": "a longer text is refused",
    "outage.after_s": (
        "the box was down, or no SIM could send, for so long: an outage; at least 300, since the box notes "
        "only once a minute that it lives"
    ),
    "outage.older_than_s": "messages that had waited longer than this when it ended do not simply go out",
    "outage.rule": "ask holds them until an admin decides, send sends them, expire gives them up",
    "backup.folder": "where backups go; it must exist. Empty: none are made",
    "backup.every_h": "hours between two",
    "backup.keep": "how many of this box stay; the oldest beyond are deleted",
    "health.late_after_s": "a message that waits to be sent for longer: stuck_messages",
    "health.unknown_after_s": ("a message that is unknown for longer, without a delivery report: unknown_messages"),
    "health.modem_missing_after_s": "a port that is not there for longer: modem_missing",
    "health.modem_hung_after_s": "a modem that is being recovered or initialised for longer: modem_hung",
    "health.no_network_after_s": "a modem that searches for longer: no_network",
    "health.limit_percent": "a SIM that has used so much of a limit: limits_nearly_spent",
    "health.webhook_failing_after_s": (
        "an endpoint of a webhook or a Twilio account, or a mail server, that takes nothing for longer:"
        " webhook_failing, twilio_failing, mail_failing"
    ),
    "health.hub_unreachable_after_s": (
        "a hub that has acknowledged nothing, or a broker that was not reached, for longer: hub_unreachable"
    ),
    "health.disk_free_mib": "less room than this, in MiB: disk_nearly_full",
    "health.disk_free_percent": "or less than this of the file system; 0 for either means that it does not count",
    "alerts.on_call": ("numbers that are told of alerts without a label or annotation sms_to of their own"),
    "alerts.summary_above": "more alerts than this for one recipient in one notification are one message",
    "alerts.resolved": "tell also when an alert is over",
    "alerts.max_segments": "a text that takes more is cut there",
    "providers.secrets": (
        "the folder with a file modembank.provider.NAME for each secret that settings name;"
        " systemd's credentials of these names count first"
    ),
    "providers.allow_private": "whether providers may be in private networks or on the box itself",
    "providers.public_url": (
        "where providers reach the box, such as https://sms.example.org: their callback's address is this and"
        " /hooks/providers/NAME"
    ),
    "opt_out.enabled": ("whether inbound messages are looked at; opt-outs that are there hold in any case"),
    "opt_out.languages": (
        "whose stop words count: ar bg cs da de el en es et fi fr hi hr hu it lt lv nb nl pl pt ro ru sk sl sv tr uk"
    ),
    "opt_out.keywords": "further stop words",
    "opt_out.confirmation": "the answer to an opt-out; empty: none",
    "opt_out.welcome_back": "the answer to START; empty: none",
    "quiet_hours.from": 'such as "21:00" and "08:00": nothing is sent then; both or neither',
    "quiet_hours.to": 'such as "21:00" and "08:00": nothing is sent then; both or neither',
    "quiet_hours.exempt_priority": "messages of at least this priority go at any time; 10: none",
    "recipients.allowed_prefixes": 'beginnings such as "+44"; empty: all that are not blocked',
    "recipients.blocked_prefixes": "the longest prefix of either list that fits decides",
    "recipients.allow_premium": "whether numbers at a premium rate may be written to",
    "loops.exchanges": (
        "from so many messages from a number and as many to it on it is looked whether machines talk (decency.md);"
        " 0: never"
    ),
    "loops.within_s": "in so many seconds",
    "mqtt.url": (
        "mqtts://HOST:PORT of the hub's broker (8883 where no port is named); empty: as the hub said that enrolled the "
        "box (fleet.md); without one it stands alone. "
        "mqtt:// is for a broker on this box"
    ),
    "mqtt.site": "the first half of the name that the hub knows the box by",
    "mqtt.box": "the second half",
    "mqtt.ca": "PEM file of the authorities that the broker's certificate is checked with; empty: the system's",
    "mqtt.certificate": "PEM files of the box's own certificate; both or neither",
    "mqtt.key": "PEM files of the box's own certificate; both or neither",
    "mqtt.profile": (
        "how often telemetry goes out: standard every minute, lean every five, metered every quarter of an hour"
    ),
    "mqtt.privacy": (
        "counts: nothing of single messages; meta: their states, numbers only as pseudonyms, no texts; full: "
        "as webhooks tell them"
    ),
    "mqtt.commands": (
        "what the hub may have done here: diag.run, sim.pause, sim.resume, sim.limits, cfg.reload, modem.reset,"
        " ussd.run, cred.rotate, logs.collect, box.reboot, sw.update, sw.cancel, sw.rollback"
    ),
    "mqtt.hub_settings": (
        "what the hub may own of the box's settings: profile, quiet_hours, sim.label, sim.limits, sim.paused; the"
        " others are the site's"
    ),
    "mqtt.ussd_codes": 'the codes that ussd.run may dial, such as ["#100#"]',
    "mqtt.pool": (
        "messages of the fleet's pool that the box holds at once for the hub (fleet.md); 0: it sends nothing for it"
    ),
    "mqtt.most_events": "events that wait for a hub that is away; the oldest beyond give way to a note of the gap",
    "mqtt.hub_key.kid": "the key's name",
    "mqtt.hub_key.public": "the Ed25519 public key in base64",
    "mqtt.hub_key.not_after": "a day such as 2027-12-31 with whose end it counts for nothing; empty: never",
    "home_assistant.url": (
        "mqtts://HOST:PORT (8883 where no port is named) or mqtt://HOST:PORT (1883) of the site's own broker, where"
        " Home Assistant finds the box; empty: none"
    ),
    "home_assistant.enabled": "false: at its next start the box takes back what it said there, and says no more",
    "home_assistant.username": "for a broker that asks for one",
    "home_assistant.password_file": (
        "a file with the password alone; a credential modembank.home-assistant.password from systemd wins over it"
    ),
    "home_assistant.ca": (
        "PEM file of the authorities that the broker's certificate is checked with; empty: the system's"
    ),
    "home_assistant.certificate": "PEM files of the box's own certificate, where the broker wants one; both or neither",
    "home_assistant.key": "PEM files of the box's own certificate, where the broker wants one; both or neither",
    "home_assistant.node": "the box's name there",
    "home_assistant.discovery_prefix": "as Home Assistant's MQTT integration has it",
    "home_assistant.topic_prefix": "before the box's own topics",
    "home_assistant.privacy": (
        "counts: nothing of single messages; meta: that a message came, its number masked, no text; full: both whole"
    ),
    "home_assistant.commands": "whether SIMs may be paused and resumed from there",
    "home_assistant.every_s": "changes are told at most once in so many seconds",
    "home_assistant.notify.group": "the name of people who can be told something",
    "home_assistant.notify.to": "their numbers, 100 at most",
    "home_assistant.notify.user": "the user of the box whose messages they are, and whose quota counts",
    "home_assistant.notify.name": "what Home Assistant shows",
    "home_assistant.notify.max_segments": "a text that takes more is cut there",
    "home_assistant.notify.priority": "0 to 9; quiet hours let the highest pass (quiet_hours.exempt_priority)",
    "mail_in.listen": "address and port, such as 0.0.0.0:2525; empty: no mails are taken",
    "mail_in.domain": "what stands behind the @ of a number, such as sms.example.com: +447700900123@sms.example.com",
    "mail_in.tls_cert": "PEM files of the certificate for STARTTLS; both or neither; empty: the one of [web]",
    "mail_in.tls_key": "PEM files of the certificate for STARTTLS; both or neither; empty: the one of [web]",
    "mail_in.allow_plain": ("true: API keys may come over the network without encryption; on loopback they always may"),
    "mail_in.subject": "what of a mail becomes the text: its body, its subject, or both, the subject first",
    "mail_in.cut_quotes": (
        "whether a signature (from the line -- on) and what is quoted of an earlier mail are left out"
    ),
    "mail_in.max_kib": "a larger mail is refused",
    "mail_in.max_recipients": "of one mail",
    "mail_in.connections": "at once; who comes beyond is told to come again",
    "mail_in.connections_of_one": "of them from one address",
    "mail_in.sender.address": "who may send: an address, or @example.com for all of a domain; the longer one counts",
    "mail_in.sender.user": "the user of the box whose key it shows, whose messages they are, and whose quota counts",
    "mail_out.name": "in issues and in the log; by it and the address a forward remembers how far it has come",
    "mail_out.host": "name or IP address of a mail server",
    "mail_out.sender": "the address that mails come from",
    "mail_out.port": "0: 587 with starttls, 465 with tls, 25 with none",
    "mail_out.security": (
        "starttls: a server that does not offer it gets nothing; tls: encrypted from the start; none: in the clear"
    ),
    "mail_out.username": "for a server that wants a login",
    "mail_out.password_file": (
        "a file with the password alone; a credential modembank.mail-out.NAME.password from systemd wins over it"
    ),
    "mail_out.ca": "PEM file of the authorities that the server's certificate is checked with; empty: the system's",
    "mail_out.sender_name": "the name beside the sender's address; empty: the box's id",
    "mail_out.forward.name": "in issues and in the log; by it and the address a forward remembers how far it has come",
    "mail_out.forward.to": "addresses, 20 at most; each has a mail of its own",
    "mail_out.forward.sims": "ICCIDs of the SIMs whose inbound messages are told; with no pools either: of all",
    "mail_out.forward.pools": "labels of SIMs, the same",
    "log.level": "debug, info, warning, error",
    "log.format": ("json, console; auto: journald priorities under systemd, colours on a terminal, else JSON"),
}
