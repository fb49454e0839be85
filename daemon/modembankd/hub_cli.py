"""``modembank hub``: the hub of a fleet."""

from __future__ import annotations

from pathlib import Path

import click

from modembankd.options import run_async

DEFAULT_CONFIG = "/etc/modembank/hub.toml"

hub_config_option = click.option(
    "--config",
    "config_path",
    type=click.Path(path_type=Path, dir_okay=False),
    default=DEFAULT_CONFIG,
    show_default=True,
    help="The hub's configuration file.",
)


@click.group()
def hub() -> None:
    """Run the hub of a fleet: it takes in what boxes tell over MQTT, and commands them."""


@hub.command("run")
@hub_config_option
def hub_run(config_path: Path) -> None:
    """Run the hub in the foreground until SIGTERM or Ctrl-C."""
    from modembank_hub.config import load_hub_config
    from modembankd.handed_over import sockets_from_systemd
    from modembankd.hub import run_hub
    from modembankd.logs import configure_logs

    config = load_hub_config(config_path)
    configure_logs(config.log)
    run_async(run_hub(config, sockets=sockets_from_systemd().web))


@hub.command("check")
@hub_config_option
def hub_check(config_path: Path) -> None:
    """Check the configuration file and say what it means."""
    from modembank_hub.app import read_signer
    from modembank_hub.config import load_hub_config

    loaded = load_hub_config(config_path)
    signer = read_signer(loaded.signing)
    click.echo(f"{config_path} is fine.")
    click.echo(f"  data:    {loaded.hub.data_dir}")
    click.echo(f"  store:   {loaded.store.url or 'a file there, for this process alone'}")
    click.echo(f"  broker:  {loaded.mqtt.host}:{loaded.mqtt.port}{' (TLS)' if loaded.mqtt.tls_ca else ''}")
    click.echo(f"  listen:  {loaded.web.listen}{' (TLS)' if loaded.web.tls_cert else ''}")
    where = loaded.enrolment.address
    click.echo(f"  enrol:   {f'{where}, answered at {loaded.enrolment.listen}' if where else 'no boxes: no address'}")
    if loaded.mail.host:
        click.echo(f"  mail:    {loaded.mail.host}:{loaded.mail.port} ({loaded.mail.security})")
    click.echo(f"  signing: {'key ' + signer.kid if signer else 'no key: only commands that need no signature'}")


@hub.command("move")
@hub_config_option
def hub_move(config_path: Path) -> None:
    """Copy everything from the hub's file into the empty PostgreSQL database that [store] url names."""
    from modembank.clock import SystemClock, to_ms
    from modembank_hub.config import load_hub_config
    from modembank_hub.opening import target_of
    from modembank_hub.schema import DATABASE

    config = load_hub_config(config_path)
    if not config.store.url:
        message = f"{config_path} has no [store] url: name the database that the hub is to move to"
        raise click.ClickException(message)
    target, source = target_of(config.store), Path(config.hub.data_dir) / DATABASE
    from modembank_hub.postgres.moving import move

    def told(table: str, rows: int) -> None:
        if rows:
            click.echo(f"  {table}: {rows}")

    count = move(source, target, to_ms(SystemClock().now()), told)
    click.echo(f"{count} rows are in {target.name} now. From its next start the hub works there; {source} is kept.")


@hub.command("setup-code")
@hub_config_option
def hub_setup_code(config_path: Path) -> None:
    """Show the code with which the hub's first admin is made, on its page /ui/setup."""
    from modembank.accounts.first_start import read_code, ready_code
    from modembank.clock import SystemClock, to_ms
    from modembank_hub.config import load_hub_config

    folder = Path(load_hub_config(config_path).hub.data_dir)
    if read_code(folder) is None:
        message = f"there is no set-up code in {folder}: the hub has its admin, or was never started"
        raise click.ClickException(message)
    click.echo(ready_code(folder, to_ms(SystemClock().now())).text)


@hub.command("certificate")
@click.argument("names", nargs=-1, required=True)
@click.option(
    "--folder",
    type=click.Path(path_type=Path, file_okay=False, exists=True),
    default=".",
    show_default=True,
    help="Where broker.crt and broker.key are written.",
)
@hub_config_option
def hub_certificate(names: tuple[str, ...], folder: Path, config_path: Path) -> None:
    """Give the broker a certificate of the fleet's authority, good for NAMES: hosts and IP addresses."""
    from modembank_hub.app import ca_dir, crl_file
    from modembank_hub.config import load_hub_config
    from modembank_hub.doorway import DAYS, issue_server

    config = load_hub_config(config_path)
    try:
        certificate, key = issue_server(ca_dir(config), "broker", names, folder)
    except OSError as error:
        message = f"{error.filename} cannot be written: {error.strerror}"
        raise click.ClickException(message) from error
    click.echo(f"good for {DAYS} days; in the broker's configuration, for boxes:\n")
    click.echo(f"cafile {ca_dir(config) / 'ca.crt'}\ncrlfile {crl_file(config)}\ncertfile {certificate}\nkeyfile {key}")


@hub.command("key")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--kid", default="h1", show_default=True, help="The name under which boxes know it.")
def hub_key(file: Path, kid: str) -> None:
    """Make a signing key in FILE, and print what goes into the configuration of boxes, so that they trust it."""
    from modembank_fleet.wire import new_signer
    from modembank_hub.app import keep_signer

    signer = new_signer(kid)
    try:
        keep_signer(file, signer)
    except FileExistsError as error:
        message = f"{file} is there already: a key is never written over"
        raise click.ClickException(message) from error
    except OSError as error:
        message = f"{file} cannot be written: {error.strerror}"
        raise click.ClickException(message) from error
    click.echo(f'[[mqtt.hub_key]]\nkid = "{signer.kid}"\npublic = "{signer.public.written}"')
