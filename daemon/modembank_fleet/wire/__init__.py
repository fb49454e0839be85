"""The wire: topics, payloads, commands and signatures as types and functions. No I/O, no clock, no logger."""

from modembank_fleet.wire.asyncapi import document
from modembank_fleet.wire.channels import CHANNELS, Channel
from modembank_fleet.wire.codec import MOST_OCTETS, decode, encode, pack, unpack
from modembank_fleet.wire.commands import (
    BY_VERB,
    VERBS,
    Command,
    If,
    PoolMessage,
    Recall,
    Recalled,
    Submit,
    Verb,
    arguments,
    command,
    verb_of,
)
from modembank_fleet.wire.commands import Update as UpdateArguments
from modembank_fleet.wire.configuration import (
    EVERY_SIM,
    CfgDocument,
    CfgLimits,
    CfgQuietHours,
    CfgSim,
    Setting,
    canonical,
    desired,
    document_of,
    hash_of,
    judge,
    of_sim,
)
from modembank_fleet.wire.errors import WireError
from modembank_fleet.wire.shapes import (
    ENDED,
    VERSION,
    Ack,
    Avail,
    Batch,
    Birth,
    CfgDesired,
    CfgReported,
    EvBatch,
    Event,
    Hello,
    LogChunk,
    ModemCounts,
    Ota,
    Outbox,
    PoolCredit,
    PoolWord,
    Queue,
    ReportedError,
    ResBatch,
    Result,
    Software,
    Table,
    TeleBox,
    TeleModems,
    Totals,
)
from modembank_fleet.wire.signing import HubKey, Signer, new_signer, verify
from modembank_fleet.wire.topics import HELLO, Address, Topic, everything_down, everything_up, is_name, parse

__all__ = [
    "BY_VERB", "CHANNELS", "ENDED", "EVERY_SIM", "HELLO", "MOST_OCTETS", "VERBS", "VERSION", "Ack", "Address", "Avail",
    "Batch", "Birth", "CfgDesired", "CfgDocument", "CfgLimits", "CfgQuietHours", "CfgReported", "CfgSim", "Channel",
    "Command", "EvBatch", "Event", "Hello", "HubKey", "If", "LogChunk", "ModemCounts", "Ota", "Outbox", "PoolCredit",
    "PoolMessage", "PoolWord", "Queue", "Recall", "Recalled", "ReportedError", "ResBatch", "Result", "Setting",
    "Signer", "Software", "Submit", "Table", "TeleBox", "TeleModems", "Topic", "Totals", "UpdateArguments", "Verb",
    "WireError",
    "arguments", "canonical", "command", "decode", "desired", "document", "document_of", "encode", "everything_down",
    "everything_up", "hash_of", "is_name", "judge", "new_signer", "of_sim", "pack", "parse", "unpack", "verb_of",
    "verify",
]  # fmt: skip
