"""Messages into PDUs: split once and ahead of time, the rest just before sending."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from types import MappingProxyType

from modembank.messages.model import MessageFlags, QueuedMessage
from modembank.tpdu import Address, Encoding, SplitText, SubmitTpdu, Validity, encode_pdu, split_text

REMEMBERED = 4096
"""Recipients of long messages whose last reference is remembered."""
_FORCED: Mapping[MessageFlags, Encoding] = MappingProxyType(
    {
        MessageFlags.NONE: Encoding.AUTO,
        MessageFlags.FORCE_UCS2: Encoding.UCS2,
        MessageFlags.FORCE_GSM7: Encoding.GSM7,
    }
)


class Encoder:
    """Knows which concatenation reference a recipient had last, and which SIMs' centres refuse validity periods."""

    def __init__(self) -> None:
        """Remember nothing."""
        self._references: OrderedDict[str, int] = OrderedDict()
        self._no_validity: set[int] = set()

    def split(self, message: QueuedMessage) -> tuple[SplitText, int]:
        """Return the parts and their reference.

        The reference of parts that are out already is kept; else it is one more than the recipient's last, so that 256
        long messages in a row to one recipient differ. Raises what split_text raises.
        """
        reference = message.concat
        if reference is None:
            reference = self._next_reference(message) if message.segments > 1 else 0
        forced = message.flags & (MessageFlags.FORCE_UCS2 | MessageFlags.FORCE_GSM7)
        encoding = _FORCED.get(forced, Encoding.AUTO)
        return split_text(message.text, reference=reference, encoding=encoding), reference

    def pdu(self, message: QueuedMessage, parts: SplitText, segment: int, sim_id: int, now_ms: int) -> tuple[str, int]:
        """Return one segment's PDU and TPDU length; the validity is what is left of the message's at this moment.

        TP-MR is 0: the modem assigns it (3GPP TS 23.040 9.2.3.6).
        """
        validity = None
        if sim_id not in self._no_validity:
            validity = Validity.for_seconds(max(0, message.expires_at - now_ms) / 1000)
        tpdu = SubmitTpdu.for_part(
            Address.from_number(message.recipient),
            parts.parts[segment - 1],
            flash=bool(message.flags & MessageFlags.FLASH),
            validity=validity,
            status_report=bool(message.flags & MessageFlags.DELIVERY_REPORT),
        )
        return encode_pdu(tpdu)

    def drop_validity(self, sim_id: int) -> bool:
        """Send without validity period through this SIM from now on; return whether that is new."""
        new = sim_id not in self._no_validity
        self._no_validity.add(sim_id)
        return new

    def _next_reference(self, message: QueuedMessage) -> int:
        last = self._references.pop(message.recipient, None)
        reference = (message.id if last is None else last + 1) & 0xFF
        self._references[message.recipient] = reference
        if len(self._references) > REMEMBERED:
            self._references.popitem(last=False)
        return reference
