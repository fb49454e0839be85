"""Update bundles that clients send: as they are, or in a form; what both the API and the page do."""

from __future__ import annotations

import asyncio

from modembank.appliance import MAX_OCTETS, BundleUpload
from modembank_web.multipart_body import MEDIA, WHOLE_WAIT_S, pieces, read_form
from modembank_web.operation import Call
from modembank_web.reading import BodyTooSlow, UnsupportedMediaType

OCTETS = "application/octet-stream"
FORM_OCTETS = MAX_OCTETS + 100_000
"""A bundle of the largest size, and what stands around it."""


async def take_bundle(call: Call) -> None:
    """Take the bundle in a request and ask for its installation; whatever fails, nothing of it is left.

    Raises Conflict, BundleTooLarge and NoRoom before the body is read, InvalidRequest, and what reading one raises.
    """
    media = call.headers.get(b"content-type", b"").partition(b";")[0].strip().lower().decode("latin-1")
    if media not in {OCTETS, MEDIA} or b"content-encoding" in call.headers:
        raise UnsupportedMediaType(why=f"the body must be {OCTETS} or {MEDIA}, and not compressed")
    declared = call.headers.get(b"content-length", b"")
    upload = await call.app.appliance.upload(call.caller, int(declared) if declared.isdigit() else None)
    try:
        if media == OCTETS:
            await _read_octets(call, upload)
        else:
            await read_form(call.receive, call.headers, lambda _: upload, FORM_OCTETS)
        await call.app.appliance.install(call.caller, upload)
    finally:
        upload.discard()


async def _read_octets(call: Call, upload: BundleUpload) -> None:
    try:
        async with asyncio.timeout(WHOLE_WAIT_S):
            async for piece in pieces(call.receive, FORM_OCTETS):
                await upload.write(piece)
    except TimeoutError:
        raise BodyTooSlow(seconds=round(WHOLE_WAIT_S)) from None
    await upload.received()
