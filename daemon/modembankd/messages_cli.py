"""``modembank send``, ``messages``, ``inbox``, ``preview`` and ``events``: messages from the box's own command line."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

import click

from modembank.config import load_config
from modembankd.asking import ask, listed, refuse, with_query
from modembankd.local import follow_daemon
from modembankd.options import config_option
from modembankd.showing import on_one_line, shown_message, table

_MESSAGES = "/api/v1/messages"
_SETTLED = frozenset({"delivered", "undelivered", "expired", "failed", "cancelled", "unknown"})
_WELL = frozenset({"delivered", "sent"})
_FIRST_LOOK_S, _RAREST_LOOK_S = 0.2, 2.0
json_option = click.option("--json", "as_json", is_flag=True, help="Print what the API answers, for programs.")
limit_option = click.option(
    "--limit", type=click.IntRange(1, 10_000), default=20, show_default=True, help="How many, the newest first."
)


@click.command()
@click.argument("to", nargs=-1, required=True)
@click.argument("text")
@click.option("--channel", type=click.Choice(["sms", "email", "whatsapp"]), help="By which it goes; the usual is sms.")
@click.option("--subject", help="Of an e-mail.")
@click.option(
    "--provider", "providers", multiple=True, help="Only through this provider, SIM or pool, or bank; may be repeated."
)
@click.option("--sim", help="Only through this SIM: its ICCID, slot or label.")
@click.option("--pool", help="Only through the SIMs with this label.")
@click.option("--priority", type=click.IntRange(0, 9), help="9 goes first; the usual is 5.")
@click.option("--reference", help="Your own name for it.")
@click.option("--send-at", help="Not before this time, such as 2030-01-31T08:00:00Z.")
@click.option("--partial", is_flag=True, help="Send to the good numbers although others are refused.")
@click.option(
    "--wait", is_flag=True, help="Wait until each message has ended; exit status 1 when one did not end well."
)
@click.option("--timeout", "timeout_s", type=click.FloatRange(0), default=300.0, help="Of --wait, in seconds.")
@json_option
@config_option
def send(
    to: tuple[str, ...],
    text: str,
    config_path: Path,
    *,
    wait: bool,
    timeout_s: float,
    as_json: bool,
    **options: Any,
) -> None:
    """Queue TEXT for one number TO, or several, and print the ids of the messages.

    With - as TEXT it is read from standard input.
    """
    body: dict[str, Any] = {name: value for name, value in options.items() if value}
    if options["priority"] == 0:
        body["priority"] = 0
    body |= {"to": to[0] if len(to) == 1 else to, "text": _standard_input() if text == "-" else text}
    receipt = ask(config_path, "POST", _MESSAGES, body)
    accepted = [message for message in receipt["messages"] if message["id"]]
    if wait:
        messages = _settled(config_path, [message["id"] for message in accepted], timeout_s)
        print_json(messages) if as_json else _print_ends(messages)
        if not all(message["status"] in _WELL for message in messages):
            raise SystemExit(1)
    elif as_json:
        print_json(receipt)
    elif len(to) == 1:
        click.echo(accepted[0]["id"])
    else:
        for message in receipt["messages"]:
            click.echo(
                f"{message['id'] or 'refused':17}  {on_one_line(message['to'])}  {message.get('detail', '')}".rstrip()
            )
    if receipt.get("refused"):
        raise SystemExit(1)


@click.group()
def messages() -> None:
    """Look at what was sent, and cancel what was not yet."""


@messages.command("list")
@click.option("--status", help="Only in these states, separated by commas.")
@click.option("--to", help="Only to this number.")
@click.option("--since", help="Only created at or after this time.")
@click.option("--reference", help="Only with this name.")
@limit_option
@json_option
@config_option
def messages_list(config_path: Path, *, limit: int, as_json: bool, **wanted: str | None) -> None:
    """Show outbound messages, the newest first."""
    found = listed(config_path, _MESSAGES, wanted, limit)
    if as_json:
        print_json(found)
        return
    rows = [[each["id"], when(each["created_at"]), each["status"], each["to"], each["text"]] for each in found]
    print_table(["id", "created", "status", "to", "text"], rows, "no messages")


@messages.command("show")
@click.argument("identifier")
@json_option
@config_option
def messages_show(identifier: str, config_path: Path, *, as_json: bool) -> None:
    """Show one message with its attempts, and why it is not sent yet."""
    message = ask(config_path, "GET", f"{_MESSAGES}/{quote(identifier, safe='')}")
    if as_json:
        print_json(message)
        return
    for line in shown_message(message):
        click.echo(line)


@messages.command("cancel")
@click.argument("identifiers", nargs=-1, required=True, metavar="ID…")
@config_option
def messages_cancel(identifiers: tuple[str, ...], config_path: Path) -> None:
    """Cancel messages of which nothing was sent yet."""
    for identifier in identifiers:
        message = ask(config_path, "POST", f"{_MESSAGES}/{quote(identifier, safe='')}/cancel")
        click.echo(f"{message['id']} is {message['status']}")


@click.command()
@click.option("--from", "sender", help="Only from this number or name.")
@limit_option
@json_option
@config_option
def inbox(sender: str | None, limit: int, config_path: Path, *, as_json: bool) -> None:
    """Show what came in, the newest first."""
    found = listed(config_path, "/api/v1/inbox", {"from": sender}, limit)
    if as_json:
        print_json(found)
        return
    rows = [
        [each["id"], when(each["received_at"]), each["from"], each["text"] or f"({each['kind']})"] for each in found
    ]
    print_table(["id", "received", "from", "text"], rows, "nothing came in")


@click.command()
@click.argument("text")
@json_option
@config_option
def preview(text: str, config_path: Path, *, as_json: bool) -> None:
    """Tell how TEXT would go out: alphabet, segments, and what makes it longer; - reads standard input."""
    found = ask(config_path, "POST", f"{_MESSAGES}/preview", {"text": _standard_input() if text == "-" else text})
    if as_json:
        print_json(found)
        return
    segments = found["segments"]
    click.echo(
        f"{found['encoding']}, {segments} segment{'' if segments == 1 else 's'}, {found['characters_left']} left"
    )
    if found["forced_by"]:
        click.echo(f"UCS-2 because of: {' '.join(map(on_one_line, found['forced_by']))}")
    if found.get("segments_saved"):
        click.echo(f"with replacements {found['segments_after']}: {on_one_line(found['text_after'])}")


@click.command()
@click.option("--types", help="Only these kinds, such as message.*,issue.*")
@click.option("--after", "last_event_id", help="Begin after the event with this id; else with what happens now.")
@click.option("--for", "for_s", type=click.FloatRange(0), help="End after so many seconds.")
@json_option
@config_option
def events(config_path: Path, *, as_json: bool, **wanted: object) -> None:
    """Show what happens, as it happens, until Ctrl-C."""
    path = with_query("/api/v1/events", wanted)
    for line in follow_daemon(Path(load_config(config_path).box.data_dir), path, refuse):
        name, _, value = line.partition(": ")
        if name == "data":
            event = json.loads(value)
            click.echo(value if as_json else _event_line(event))


def _settled(config_path: Path, ids: Sequence[str], timeout_s: float) -> list[Any]:
    """Return the messages once each has ended, or as they are when the time is over."""
    deadline, pause_s = time.monotonic() + timeout_s, _FIRST_LOOK_S
    found: dict[str, Any] = {}
    left = list(ids)
    while left:
        found |= {each: ask(config_path, "GET", f"{_MESSAGES}/{each}") for each in left}
        left = [each for each in left if not _has_ended(found[each])]
        if not left or time.monotonic() >= deadline:
            break
        time.sleep(pause_s)
        pause_s = min(_RAREST_LOOK_S, pause_s * 1.5)
    return [found[each] for each in ids]


def _has_ended(message: Mapping[str, Any]) -> bool:
    return message["status"] in _SETTLED or (message["status"] == "sent" and not message["delivery_report"])


def _print_ends(messages: Sequence[Any]) -> None:
    for message in messages:
        why = message["cause"] or message["waiting_for"] or ""
        click.echo(f"{message['id']}  {on_one_line(message['to'])}  {message['status']}  {on_one_line(why)}".rstrip())


def print_table(titles: Sequence[str], rows: Sequence[Sequence[str]], nothing: str) -> None:
    """Print rows as a table, or a word for that there are none."""
    for line in table(titles, rows) if rows else [nothing]:
        click.echo(line)


def print_json(content: object) -> None:
    """Print what the API answered."""
    click.echo(json.dumps(content, ensure_ascii=False, indent=2))


def _event_line(event: Mapping[str, Any]) -> str:
    facts = event["data"]
    names = ("id", "slot", "iccid", "number", "to", "from", "status", "summary", "cause")
    told = " ".join(f"{name}={on_one_line(str(facts[name]))}" for name in names if facts.get(name) is not None)
    return f"{when(event['timestamp'])}  {event['id']}  {event['type']}  {told}".rstrip()


def when(moment: str) -> str:
    """A time in UTC without its fractions: all of one width."""
    return f"{moment[:10]} {moment[11:19]}Z"


def _standard_input() -> str:
    return sys.stdin.read().removesuffix("\n")
