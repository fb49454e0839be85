"""What doctor says of PINs while no daemon runs: which there are, by whose SIM they are for, and that none is tried."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from modembank.config import Config
from modembankd.handed_over import PIN_PREFIX

STORES = tuple(
    Path(folder) / name
    for folder in ("/etc", "/run", "/usr/lib")
    for name in ("credstore.encrypted", "credstore")
)  # fmt: skip
"""Where systemd looks for the credentials that the service imports: ImportCredential= in systemd.exec(5)."""


def pin_notes(config: Config, stores: Iterable[Path] = STORES) -> tuple[str, ...]:
    """Return which PINs are known, without any of them; nothing when there are none and all stores can be read."""
    found, closed = _stored(stores)
    configured = [f"the configuration has the PIN of the SIM {_end(sim.iccid)}" for sim in config.sim if sim.pin]
    configured += [f"the configuration has a PIN for the port {port.path}" for port in config.bank.port if port.pin]
    stored = [
        f"systemd gives the daemon the PIN of the SIM {_end(card)}, from {where}" for card, where in found.items()
    ]
    return (*configured, *stored, *(f"{folder} cannot be read: run doctor as root to see" for folder in closed))


def _stored(stores: Iterable[Path]) -> tuple[Mapping[str, Path], list[Path]]:
    """Return the ICCIDs for which there is a credential, with its folder, and the folders that may not be read."""
    found: dict[str, Path] = {}
    closed = []
    for folder in stores:
        try:
            names = sorted(path.name for path in folder.iterdir())
        except PermissionError:
            closed.append(folder)
        except OSError:
            continue
        else:
            pins = [name.removeprefix(PIN_PREFIX) for name in names if name.startswith(PIN_PREFIX)]
            found |= {card: folder for card in pins if card not in found}
    return found, closed


def _end(card: str) -> str:
    return f"…{card[-6:]}"
