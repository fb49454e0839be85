"""``modembank box``: the appliance image that the box was started from, beside a running daemon or without one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import click
import msgspec

from modembank.appliance import RUN, BoxView, offline_view
from modembank.config import load_config
from modembankd.asking import ask
from modembankd.local import NoDaemon
from modembankd.messages_cli import json_option, print_json
from modembankd.options import config_option
from modembankd.showing import on_one_line


@click.command()
@json_option
@config_option
def box(config_path: Path, *, as_json: bool) -> None:
    """Show the appliance: version, slot, data partition, mistakes in box.toml, update, certificate."""
    view = _view(config_path)
    if as_json:
        print_json(msgspec.to_builtins(view))
        return
    if not view.appliance:
        click.echo("this box was not started from the appliance image")
        return
    for name, value in _shown(view):
        if value:
            click.echo(f"{name + ':':16}{on_one_line(value)}")


def _view(config_path: Path) -> BoxView:
    """Ask the daemon, or look at the files when none runs."""
    try:
        return msgspec.convert(ask(config_path, "GET", "/api/v1/box"), BoxView)
    except NoDaemon:
        config = load_config(config_path)
        return offline_view(config.box.id, RUN, Path(config.box.data_dir))


def _shown(view: BoxView) -> Iterator[tuple[str, str]]:
    yield "name", view.name
    if view.release is not None:
        build = f", build {view.release.build}" if view.release.build else ""
        yield "version", f"{view.release.version}{build}"
        yield "slot", f"{view.release.slot}, for {view.release.architecture}"
    yield "up", f"{view.up_s // 3600} h {view.up_s // 60 % 60} min"
    if view.data is not None:
        yield "data", _with(view.data.state, view.data.reason)
        for problem in view.data.problems:
            yield "data", problem
    for mistake in view.first_file.mistakes if view.first_file is not None else ():
        line = f"line {mistake.line}: " if mistake.line else ""
        what = " ".join(filter(None, (mistake.field, mistake.reason)))
        yield "box.toml", f"{line}{what}" + (f"; {mistake.way_out}" if mistake.way_out else "")
    update = view.update
    if update is not None:
        percent = f", {update.percent} %" if update.state == "installing" and update.percent is not None else ""
        version = f" ({update.from_version} to {update.version})" if update.version else ""
        yield "update", _with(f"{update.state}{percent}{version}", update.reason)
    if view.upload is not None:
        yield "upload", f"{view.upload.octets} octets of a bundle, by {view.upload.by} since {view.upload.since}"
    if view.order is not None:
        yield "asked for", f"{view.order.verb}, by {view.order.by} at {view.order.at}"
    certificate = view.certificate
    if certificate is not None:
        yield "certificate", _with(certificate.fingerprint, certificate.problem)
        yield "good for", ", ".join(certificate.names)
        yield "until", certificate.not_after or ""
    yield "not readable", ", ".join(view.unreadable)


def _with(word: str, more: str) -> str:
    return f"{word.replace('_', ' ')}: {more}" if more else word.replace("_", " ")
