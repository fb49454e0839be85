"""``modembank mailing``: files of recipients from the box's own command line, through the running daemon."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

import click

from modembank.config import load_config
from modembankd.asking import ask, listed, refuse, with_query
from modembankd.local import post_file, read_daemon
from modembankd.messages_cli import json_option, limit_option, print_json, print_table, when
from modembankd.options import config_option
from modembankd.showing import on_one_line

_PATH = "/api/v1/mailings"
_VERBS = {
    "start": ("start", "Let mailings go that were made with --hold."),
    "pause": ("pause", "Have what was not attempted wait."),
    "resume": ("resume", "Let paused mailings go on."),
    "continue": ("continue", "Let the rest go behind the canary."),
    "cancel": ("cancel", "Cancel what was not attempted."),
    "retry": ("retry-failed", "Send again what failed of finished mailings, each once."),
}


@click.group()
def mailing() -> None:
    """Send files of recipients, and see how that goes."""


@mailing.command()
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False, readable=True))
@click.option("--template", help="The text; {column} stands for the row's cell.")
@click.option("--text-column", help="Instead of a template: the column that holds each row's text.")
@click.option("--to-column", help="The column of the numbers, by name or number from 1; found out when left out.")
@click.option("--region", help="The country of numbers without +, such as GB; the box's own when left out.")
@click.option("--reference-column", help="The column of your own names for the messages.")
@click.option("--name", help="What people call it; the file's name when left out.")
@click.option("--header", type=click.Choice(["auto", "yes", "no"]), help="Whether the first row names the columns.")
@click.option("--delimiter", help="What parts the columns of a CSV file.")
@click.option("--charset", help="Of a CSV file, such as cp1250.")
@click.option("--sheet", help="Of a workbook; the first when left out.")
@click.option("--replace", is_flag=True, help="Write curly quotes and such otherwise, where that makes a text 7-bit.")
@click.option("--allow-duplicates", is_flag=True, help="Send to a number as often as it stands in the file.")
@click.option("--hold", is_flag=True, help="Import it, and wait for start.")
@click.option("--canary", metavar="N|N%", help="So many messages, or percent of them, go first; the rest waits.")
@click.option("--canary-minutes", type=int, help="The rest goes by itself so long after the canary; else by continue.")
@click.option("--canary-max-failed", type=float, help="Unless more than so many percent of the canary failed.")
@click.option("--sim", help="Only through this SIM: its ICCID, slot or label.")
@click.option("--pool", help="Only through the SIMs with this label.")
@click.option("--priority", type=click.IntRange(0, 9), help="9 goes first; the usual is 5.")
@click.option("--send-at", help="Not before this time, such as 2030-01-31T08:00:00Z.")
@click.option("--window", help="HH:MM-HH:MM in the box's time, outside of which it waits.")
@click.option("--valid-for-s", type=int, help="Seconds after which it is not worth sending any more.")
@click.option("--dry-run", is_flag=True, help="Say what all rows would become, and store nothing.")
@json_option
@config_option
def send(file: Path, config_path: Path, *, canary: str | None, dry_run: bool, as_json: bool, **options: Any) -> None:
    """Send the CSV or XLSX file FILE, and print the id of the mailing."""
    fields = {name: _field(value) for name, value in options.items() if value is not None and value is not False}
    if canary is not None:
        fields["canary_share" if canary.endswith("%") else "canary_count"] = canary.removesuffix("%")
    if dry_run:
        fields["dry_run"] = "true"
    reply = post_file(Path(load_config(config_path).box.data_dir), _PATH, fields, file)
    if reply.status >= 300:
        refuse(reply.body)
    if as_json:
        print_json(reply.body)
        return
    for line in _checked(reply.body) if dry_run else (reply.body["id"],):
        click.echo(line)


@mailing.command("list")
@limit_option
@json_option
@config_option
def mailing_list(limit: int, config_path: Path, *, as_json: bool) -> None:
    """Show mailings, the newest first."""
    found = listed(config_path, _PATH, {}, limit)
    if as_json:
        print_json(found)
        return
    rows = [[one["id"], when(one["created_at"]), one["status"], _progress(one), one["name"]] for one in found]
    print_table(["id", "created", "status", "left", "name"], rows, "no mailings")


@mailing.command("show")
@click.argument("identifier")
@json_option
@config_option
def mailing_show(identifier: str, config_path: Path, *, as_json: bool) -> None:
    """Show how far a mailing is, and when it will have left."""
    found = ask(config_path, "GET", _address(identifier))
    if as_json:
        print_json(found)
        return
    for line in _shown(found):
        click.echo(line)


@mailing.command("results")
@click.argument("identifier")
@click.option("--refused", is_flag=True, help="The rows that gave no message instead.")
@click.option("--spreadsheet", is_flag=True, help="Guard cells that a spreadsheet would take for formulas.")
@config_option
def mailing_results(identifier: str, config_path: Path, *, refused: bool, spreadsheet: bool) -> None:
    """Write what became of each message to standard output, as CSV."""
    wanted = {"format": "spreadsheet" if spreadsheet else "machine"}
    address = with_query(_address(identifier, "refused" if refused else "results"), wanted)
    out = sys.stdout.buffer
    for piece in read_daemon(Path(load_config(config_path).box.data_dir), address, refuse):
        out.write(piece)
    out.flush()


def _add_verb(name: str, path: str, what: str) -> None:
    @click.argument("identifiers", nargs=-1, required=True, metavar="ID…")
    @config_option
    def change(identifiers: tuple[str, ...], config_path: Path) -> None:
        for identifier in identifiers:
            found = ask(config_path, "POST", _address(identifier, path))
            click.echo(f"{found['id']} is {found['status']}")

    mailing.command(name, help=what)(change)


for _name, (_verb, _what) in _VERBS.items():
    _add_verb(_name, _verb, _what)


def _address(identifier: str, *more: str) -> str:
    return "/".join([_PATH, quote(identifier, safe=""), *more])


def _field(value: object) -> str:
    return "true" if value is True else str(value)


def _left(found: Mapping[str, Any]) -> tuple[int, int]:
    waiting = ("accepted", "scheduled", "queued", "sending")
    total = sum(found["messages"].values())
    return total - sum(found["messages"][state] for state in waiting), total


def _progress(found: Mapping[str, Any]) -> str:
    left, total = _left(found)
    return f"{left} of {total}"


def _shown(found: Mapping[str, Any]) -> Iterator[str]:
    """Yield a mailing as lines of name and value, without what is not known."""
    progress, canary = found["progress"], found["canary"]
    rows = f"{progress['read']} of {progress['rows']}" if progress["rows"] else str(progress["read"])
    waits = f", waits for {progress['waits_for']} other imports" if progress["waits_for"] else ""
    told = {
        **{name: found[name] for name in ("id", "name", "status", "cause", "file")},
        "import": f"{progress['phase']}, {rows} rows{waits}",
        "refused": f"{progress['refused']}, and {progress['duplicates']} repeated",
        "left": _progress(found),
        "messages": ", ".join(f"{n} {state}" for state, n in found["messages"].items() if n) or None,
        "segments": found["segments"],
        "canary": None if canary is None else f"{canary['size']} messages, {canary['state']}",
        "continues at": canary and canary["continues_at"],
        "stopped": canary and canary["stopped"],
        "rate": f"{found['rate_per_minute']} a minute",
        **{name.replace("_", " "): found[name] for name in ("finishes_at", "send_at", "window", "expires_at")},
        **{name.replace("_", " "): found[name] for name in ("created_at", "started_at", "finished_at")},
    }
    for name, value in told.items():
        if value is not None:
            yield f"{name + ':':14}{on_one_line(str(value))}"


def _checked(found: Mapping[str, Any]) -> Iterator[str]:
    """Yield a dry run in sentences."""
    layout = found["layout"]
    yield f"columns: {on_one_line(', '.join(layout['columns']))}; numbers in {on_one_line(layout['to_column'])}"
    refused = f"{found['refused']} refused ({found['opted_out']} opted out), {found['duplicates']} repeated"
    yield f"{found['rows']} rows: {found['accepted']} good, {refused}"
    yield f"{found['segments']} segments; {found['ucs2']} messages in UCS-2"
    if found["landlines"]:
        yield f"{found['landlines']} numbers are landlines, which seldom take a message"
    if found["messages_replaceable"]:
        saved = found["segments_saved"]
        yield f"--replace makes {found['messages_replaceable']} of them 7-bit and saves {saved} segments"
    for one in found["forced_by"]:
        instead = f", could be {on_one_line(one['replacement'])!r}" if one["replacement"] is not None else ""
        yield f"  {on_one_line(one['character'])} in {one['messages']} messages{instead}"
    for row in found["first_refused"]:
        yield f"line {row['line']}: {on_one_line(row['number'])} {on_one_line(row['reason'])}"
    if found["finishes_at"] is not None:
        yield f"the last one would have left at {when(found['finishes_at'])}"
