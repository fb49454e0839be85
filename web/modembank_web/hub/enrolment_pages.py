"""The hub's pages of enrolment: tokens, certificates, and how the broker is told whom to refuse."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec

from modembank.accounts import Scope
from modembank.errors import Conflict, InvalidRequest
from modembank_web.answer import Answer
from modembank_web.forms import FormBody
from modembank_web.hub.api import number_of
from modembank_web.hub.surface import hub
from modembank_web.operation import Call
from modembank_web.pages.page import ROOT, Page, errors_at, goes_to
from modembank_web.pages.rendering import render

ENROLMENT = f"{ROOT}/enrolment"
_BOX = f"{ROOT}/boxes/{{site}}/{{box}}"
_READ, _CHANGE = (Scope.MODEMS,), (Scope.ADMIN,)
_A_PAGE, _FEW = 50, 10
TONES = {"open": "info", "used": "ok", "expired": "", "withdrawn": "", "good": "ok", "revoked": "bad"}
Word = Annotated[str, msgspec.Meta(max_length=80)]


class ListQuery(msgspec.Struct, frozen=True):
    """Where a list goes on."""

    cursor: Word | None = None


class TokenForm(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A token as it was filled in."""

    site: Word = ""
    box: Word = ""
    hours: Word = ""


class RevokeForm(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Why a box is shut out."""

    reason: Annotated[str, msgspec.Meta(max_length=400)] = ""


_TOKEN, _REVOKE = FormBody(TokenForm), FormBody(RevokeForm)


async def enrolment(call: Call) -> Answer:
    """Show tokens and certificates."""
    return render(call, "hub/enrolment.html", form=_form(call), errors={}, **await _lists(call))


async def enrolment_now(call: Call) -> Answer:
    """Answer them as they are now."""
    return render(call, "hub/_enrolment.html", **await _lists(call))


async def tokens(call: Call) -> Answer:
    """Answer the next page of tokens."""
    page = await hub(call).enrolment.tokens(call.caller, cursor=_cursor(call), limit=_A_PAGE)
    more = f"{ENROLMENT}/tokens?cursor={page.cursor}" if page.cursor else ""
    return render(call, "hub/_token_rows.html", tokens=page.tokens, tokens_at=more, tones=TONES)


async def certificates(call: Call) -> Answer:
    """Answer the next page of certificates."""
    page = await hub(call).enrolment.certificates(call.caller, cursor=_cursor(call), limit=_A_PAGE)
    more = f"{ENROLMENT}/certificates?cursor={page.cursor}" if page.cursor else ""
    return render(
        call, "hub/_certificate_rows.html", certificates=page.certificates, certificates_at=more, tones=TONES
    )  # fmt: skip


async def make_token(call: Call) -> Answer:
    """Make a token and show it, this once; what is wrong is shown with the form."""
    form = await call.form(_TOKEN)
    errors: dict[str, str] = {}
    try:
        hours = float(form.hours.replace(",", ".")) if form.hours.strip() else None
    except ValueError:
        hours, errors = None, {"hours": "must be a number of hours"}
    if not errors:
        try:
            row, text = await hub(call).enrolment.make_token(call.caller, form.site.strip(), form.box.strip(), hours)
        except InvalidRequest as refused:
            errors = errors_at(refused)
        except Conflict as refused:
            errors = {"site": str(refused)}
        else:
            return render(call, "hub/_token_made.html", token=row, text=text)
    return render(call, "hub/_token_form.html", status=422, form=form, errors=errors)


async def withdraw(call: Call) -> Answer:
    """Let a token count no more."""
    row = await hub(call).enrolment.withdraw_token(call.caller, number_of(call.path("token")) or 0)
    return render(call, "hub/_token_rows.html", tokens=[row], tokens_at="", tones=TONES)


async def of_box(call: Call) -> Answer:
    """Answer how a box is let in: its certificates, and whether it is shut out."""
    return render(call, "hub/_box_certificates.html", **await _of_box(call))


async def revoke(call: Call) -> Answer:
    """Shut a box out."""
    form = await call.form(_REVOKE)
    site, box = call.path("site"), call.path("box")
    try:
        await hub(call).enrolment.revoke(call.caller, site, box, form.reason.strip())
    except InvalidRequest as refused:
        shown = await _of_box(call)
        return render(call, "hub/_revoke_form.html", status=422, reason=form.reason, errors=errors_at(refused), **shown)
    return goes_to(call, f"{ROOT}/boxes/{site}/{box}")


async def _of_box(call: Call) -> dict[str, Any]:
    which = call.path("site"), call.path("box")
    row = await hub(call).fleet.get(call.caller, *which)
    page = await hub(call).enrolment.certificates(call.caller, which, limit=_FEW)
    return {
        "row": row,
        "path": f"{ROOT}/boxes/{row.site}/{row.box}",
        "certificates": page.certificates,
        "out": await hub(call).enrolment.shut_out(call.caller, *which),
        "tones": TONES,
    }


async def _lists(call: Call) -> dict[str, Any]:
    app = hub(call)
    given = await app.enrolment.certificates(call.caller, limit=_A_PAGE)
    shown: dict[str, Any] = {"tokens": [], "tokens_at": ""}
    if call.caller.is_admin:
        made = await app.enrolment.tokens(call.caller, limit=_A_PAGE)
        shown = {
            "tokens": made.tokens,
            "tokens_at": f"{ENROLMENT}/tokens?cursor={made.cursor}" if made.cursor else "",
        }
    authority = app.enrolment.authority
    return shown | {
        "certificates": given.certificates,
        "certificates_at": f"{ENROLMENT}/certificates?cursor={given.cursor}" if given.cursor else "",
        "address": app.config.enrolment.address,
        "fingerprint": "" if authority is None else authority.fingerprint.hex(":"),
        "crl": str(app.enrolment.crl),
        "crl_why": app.enrolment.crl_why,
        "tones": TONES,
    }


def _form(call: Call) -> TokenForm:
    return TokenForm(hours=f"{hub(call).config.enrolment.token_hours:g}")


def _cursor(call: Call) -> int | None:
    return number_of(call.query(ListQuery).cursor)


PAGES = (
    Page("enrolment", "GET", ENROLMENT, enrolment, _READ),
    Page("enrolmentNow", "GET", f"{ENROLMENT}/now", enrolment_now, _READ),
    Page("tokens", "GET", f"{ENROLMENT}/tokens", tokens, _CHANGE),
    Page("makeToken", "POST", f"{ENROLMENT}/tokens", make_token, _CHANGE),
    Page("withdrawToken", "POST", f"{ENROLMENT}/tokens/{{token}}/withdraw", withdraw, _CHANGE),
    Page("certificates", "GET", f"{ENROLMENT}/certificates", certificates, _READ),
    Page("boxCertificates", "GET", f"{_BOX}/certificates", of_box, _READ),
    Page("revokeBox", "POST", f"{_BOX}/revoke", revoke, _CHANGE),
)
