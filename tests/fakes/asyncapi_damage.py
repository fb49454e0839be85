"""Ways to damage an AsyncAPI document, for those who are to see that a judge of it judges."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Damage:
    """One way."""

    name: str
    do: Callable[[dict[str, Any]], object]
    schema_sees: bool = True
    """Whether a schema alone can see it; the parser follows references as well."""
    parser_sees: bool = True
    """Whether the parser does; it does not read patterns."""


DAMAGE = (
    Damage("a version that is none", lambda made: made.update(asyncapi="3.9.0")),
    Damage("no title", lambda made: made["info"].pop("title")),
    Damage("an action that is none", lambda made: made["operations"]["ev"].update(action="shout")),
    Damage("an operation without a channel", lambda made: made["operations"]["ev"].pop("channel")),
    Damage("a field that is none", lambda made: made["channels"]["ev"].update(adress="up/ev")),
    Damage("a type that is none", lambda made: made["components"]["schemas"]["Ack"].update(type="strin")),
    Damage(
        "a pattern of Python's alone",
        lambda made: made["components"]["schemas"]["Ack"]["properties"]["ep"].update(pattern=r"^a\Z"),
        parser_sees=False,
    ),
    Damage(
        "a reference that leads nowhere",
        lambda made: made["channels"]["ev"]["messages"]["ev"].update({"$ref": "#/components/messages/gone"}),
        schema_sees=False,
    ),
    Damage(
        "an operation whose message is another channel's",
        lambda made: made["operations"]["ev"].update(messages=[{"$ref": "#/channels/res/messages/res"}]),
        schema_sees=False,
    ),
)
