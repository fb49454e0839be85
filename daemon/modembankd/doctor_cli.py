"""``modembank doctor``: it asks the running daemon, and looks itself when none runs."""

from __future__ import annotations

from pathlib import Path

import click

from modembank.config import load_config
from modembankd.options import config_option


@click.command()
@config_option
def doctor(config_path: Path) -> None:
    """Look at everything the box needs and say what is wrong, in sentences; exit status 1 when something is."""
    from modembankd.doctor import examine  # half of the box, which no other command needs

    config = load_config(config_path)
    findings = examine(config, config_path)
    for finding in findings:
        click.echo(finding.line())
        for note in finding.notes:
            click.echo(f"           {note}")
    bad = sum(not finding.good for finding in findings)
    click.echo(
        f"\n{bad} of {len(findings)} checks need attention." if bad else f"\nAll {len(findings)} checks are fine."
    )
    if bad:
        raise SystemExit(1)
