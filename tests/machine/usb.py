"""Things for a machine's USB: modems of an emulated bank, a keyboard, a stick.

A place is a port of the machine's controller, or `1.3`: port 3 of the hub at port 1; the guest calls it `usb:1-1.3`. A
modem is a serial adapter of QEMU's (FTDI's ids, one line) whose far end is the emulated modem's terminal, so that all
between udev and the daemon is the guest's own. A modem with several ports and its maker's ids is a gadget: the guest's
kernel plays it to itself (dummy_hcd), and the emulated modem answers on the port for AT commands.
"""

from __future__ import annotations

from machine.qemu import Machine
from modembank_emulator.modem import EmulatedModem

_GADGET = "/sys/kernel/config/usb_gadget/modem"
_FAR_END = "/dev/virtio-ports/gadget.at"
_MAKE = f"""set -e
modprobe -a dummy_hcd libcomposite usb_f_serial
mountpoint -q /sys/kernel/config || mount -t configfs none /sys/kernel/config
mkdir {_GADGET}
cd {_GADGET}
echo 0x%s > idVendor
echo 0x%s > idProduct
mkdir strings/0x409 configs/c.1
echo emulated > strings/0x409/manufacturer
for number in $(seq 0 %d); do
    mkdir functions/gser.$number
    ln -s functions/gser.$number configs/c.1/
done
exec 3<>/dev/ttyGS%d 4<>{_FAR_END}
stty raw -echo <&3
cat <&3 >&4 2>/dev/null &
cat <&4 >&3 2>/dev/null &
"""


class Bus:
    """What is plugged into one machine."""

    def __init__(self, machine: Machine) -> None:
        """Begin with nothing plugged in; so is a machine after it was switched on."""
        self._machine = machine

    async def hub(self, place: str) -> None:
        """Plug in a hub of eight ports."""
        await self._plug("usb-hub", f"hub-{place}", place)

    async def keyboard(self, place: str) -> None:
        """Plug in a keyboard."""
        await self._plug("usb-kbd", f"kbd-{place}", place)

    async def stick(self, place: str, number: int = 0) -> None:
        """Plug in a stick that is a disk: one of the hardware's drives."""
        await self._plug("usb-storage", f"stick-{place}", place, drive=f"stick{number}")

    async def modem(self, place: str, modem: EmulatedModem) -> None:
        """Plug in an emulated modem that is switched on."""
        # Not over a socket: the terminal hangs up when the modem dies, as a cable does.
        line = f"line-{place}"
        await self._machine.qmp.ask("chardev-add", id=line, backend=_backend(modem))
        await self._plug("usb-serial", f"modem-{place}", place, chardev=line)

    async def unplug(self, device: str) -> None:
        """Pull out `modem-PLACE`, `stick-PLACE`, `kbd-PLACE`."""
        await self._machine.qmp.ask("device_del", id=device)
        await self._machine.qmp.told("DEVICE_DELETED", device=device)
        if device.startswith("modem-"):
            await self._machine.qmp.ask("chardev-remove", id=device.replace("modem-", "line-"))

    async def gadget(self, modem: EmulatedModem, usb_id: str, ports: int, at_port: int) -> None:
        """Make a modem with several ports, and plug it in; it has a bus of its own."""
        await self._machine.qmp.ask("chardev-add", id="line-gadget", backend=_backend(modem))
        far_end = {"driver": "virtserialport", "id": "gadget", "chardev": "line-gadget", "name": "gadget.at"}
        await self._machine.qmp.ask("device_add", **far_end)
        await self._machine.inside.run(f"until [ -e {_FAR_END} ]; do sleep 0.2; done")
        vendor, product = usb_id.split(":")
        await self._machine.inside.run(_MAKE % (vendor, product, ports - 1, at_port))
        await self.gadget_is_there(True)

    async def gadget_is_there(self, there: bool) -> None:
        """Plug it in, or pull it out; its far end stays."""
        await self._machine.inside.run(f"echo {'dummy_udc.0' if there else ''} > {_GADGET}/UDC")

    async def _plug(self, driver: str, name: str, place: str, **more: object) -> None:
        await self._machine.qmp.ask("device_add", driver=driver, id=name, bus="usb.0", port=place, **more)


def _backend(modem: EmulatedModem) -> dict[str, object]:
    return {"type": "serial", "data": {"device": modem.pts}}
