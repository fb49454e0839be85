"""Whole initialisations as modems of real makes answer them; from their manuals and published dialogues."""

from __future__ import annotations

import pytest

from fakes.talks import answering, talking
from modembank.modem import Feature, Hung, OutOfService, Routing, Trouble

OK, ERROR = ("OK",), ("ERROR",)
ICCID = "8944500001020304056"
SM_ME = '+CPMS: ("SM","ME"),("SM","ME"),("SM","ME")'
NO_ICCID = {"AT+CCID": ERROR}


def named(maker: str, model: str, firmware: str = "1.0") -> dict[str, object]:
    return {"AT+CGMI": (maker, "OK"), "AT+CGMM": (model, "OK"), "AT+CGMR": (firmware, "OK")}


def only(*taken: str) -> dict[str, object]:
    """CNMI settings are refused but for these."""
    every = (f"{mode},{mt},0,{ds},{bfr}" for mode in (1, 2, 3) for mt in (1, 2) for ds in (0, 1, 2) for bfr in (0, 1))
    return {f"AT+CNMI={values}": ERROR for values in every if values not in taken}


# Answers, and what comes of them: vendor, routing, memory, ICCID, service.
MAKES: dict[str, tuple[dict[str, object], tuple[str, tuple[int, ...], str | None, str | None, int]]] = {
    "ZTE MF190": (
        {
            **named("ZTE CORPORATION", "MF190", "BD_P673A2V1.0.0B09"),
            **only("1,1,0,2,0", "1,1,0,0,0"),
            "AT+CPMS=?": ('+CPMS: ("ME","MT","SM","SR"),("ME","MT","SM","SR"),("ME","MT","SM","SR")', "OK"),
            'AT+CPMS="ME"': ("+CPMS: 0,100,0,100,0,100", "OK"),
            'AT+CPMS="SM"': ("+CPMS: 0,20,0,20,0,20", "OK"),
            "AT+CNMI=?": ("+CNMI: (0,1,2),(0,1,2,3),(0,2),(0,1,2),(0,1)", "OK"),
            "AT+CCID": (f'+CCID: "{ICCID}"', "OK"),
            "AT+CMMS=?": ERROR,
        },
        ("zte", (1, 1, 0, 2, 0), "ME", ICCID, 1),
    ),
    "Telit LE910": (
        {
            **named("Telit", "LE910C1-EU", "25.20.224"),
            **NO_ICCID,
            "AT#CCID": (f"#CCID: {ICCID}", "OK"),
            "AT+CPMS=?": ('+CPMS: ("SM","ME"),("SM","ME"),("SM","ME")', "OK"),
            'AT+CPMS="ME"': ("+CPMS: 0,99,0,99,0,99", "OK"),
            "AT+CNMI=?": ("+CNMI: (0-3),(0-3),(0,2,3),(0-2),(0,1)", "OK"),
        },
        ("telit", (2, 1, 0, 1, 0), "ME", ICCID, 1),
    ),
    "Sierra MC7455": (
        {
            **named("Sierra Wireless, Incorporated", "MC7455", "SWI9X30C_02.24.05.06"),
            **NO_ICCID,
            **only("2,1,0,2,0", "2,1,0,0,0"),
            "AT!ICCID?": (f"!ICCID: {ICCID}", "OK"),
            "AT+CNMI=?": ("+CNMI: (0,1,2),(0,1,2,3),(0,2),(0,1,2),(0,1)", "OK"),
            "AT+CPMS=?": ('+CPMS: ("ME","MT","SM","SR"),("ME","MT","SM","SR"),("ME","MT","SM","SR")', "OK"),
            'AT+CPMS="ME"': ("+CPMS: 0,255,0,255,0,255", "OK"),
            "AT+CMMS=?": ERROR,
        },
        ("sierra", (2, 1, 0, 2, 0), "ME", ICCID, 1),
    ),
    "Cinterion MC75i": (
        {
            **named("Cinterion", "MC75i", "REVISION 01.100"),
            **only("2,1,0,1,1"),
            "AT+CNMI=?": ("+CNMI: (0-3),(0,1),(0,2,3),(0-2),(1)", "OK"),
            "AT+CPMS=?": ('+CPMS: ("MT","SM","ME"),("MT","SM","ME"),("MT","SM")', "OK"),
            'AT+CPMS="SM"': ("+CPMS: 2,40,2,40,2,40", "OK"),
            "AT+CCID": (f"+CCID: {ICCID}", "OK"),
        },
        ("cinterion", (2, 1, 0, 1, 0), "SM", ICCID, 1),
    ),
    "u-blox TOBY-L4": (
        {
            **named("u-blox", "TOBY-L4906", "40.80"),
            "AT+CCID": (f"+CCID: {ICCID}", "OK"),
            "AT+CPMS=?": ('+CPMS: ("ME","SM"),("ME","SM"),("ME","SM")', "OK"),
            'AT+CPMS="ME"': ("+CPMS: 0,350,0,350,0,350", "OK"),
            "AT+CNMI=?": ("+CNMI: (0-2),(0-3),(0-3),(0-2),(0-1)", "OK"),
        },
        ("generic", (2, 1, 0, 1, 0), "ME", ICCID, 1),
    ),
    "Quectel EC25": (
        {
            **named("Quectel", "EC25", "EC25EFAR06A03M4G"),
            **NO_ICCID,
            **only("2,1,0,2,0"),
            "AT+QCCID": (f"+QCCID: {ICCID}F", "OK"),
            "AT+CPMS=?": ('+CPMS: ("ME","SM","MT"),("ME","SM","MT"),("ME","SM","MT")', "OK"),
            'AT+CPMS="ME"': ("+CPMS: 0,255,0,255,0,255", "OK"),
        },
        ("quectel", (2, 1, 0, 2, 0), "ME", ICCID, 1),
    ),
    "SIMCom A7670": (
        {
            **named("INCORPORATED", "A7670E", "A7670M7"),
            "AT+CGMI": ("SIMCOM INCORPORATED", "OK"),
            **NO_ICCID,
            "AT+CICCID": (f"+ICCID: {ICCID}", "OK"),
            "AT+CNMA": ERROR,
            "AT+CPMS=?": ('+CPMS: ("ME","SM"),("ME","SM"),("ME","SM")', "OK"),
            'AT+CPMS="ME"': ("+CPMS: 0,180,0,180,0,180", "OK"),
        },
        ("simcom", (2, 1, 0, 1, 0), "ME", ICCID, 0),
    ),
    "Huawei MU609": (
        {
            **named("huawei", "MU609", "12.105.29.00.00"),
            **NO_ICCID,
            "AT^CURC=0": OK,
            "AT^ICCID?": (f"^ICCID: {ICCID}F", "OK"),
            "AT+CPMS=?": ('+CPMS: "SM","SM","SM"', "OK"),
            'AT+CPMS="SM"': ("+CPMS: 0,50,0,50,0,50", "OK"),
            "AT+CSMS?": ("+CSMS: 1,1,1", "OK"),
        },
        ("huawei", (1, 1, 0, 1, 0), "SM", ICCID, 1),
    ),
}


@pytest.mark.parametrize("make", MAKES)
async def test_a_make_is_initialised_as_it_needs_it(make: str) -> None:
    answers, (vendor, routing, memory, iccid, service) = MAKES[make]
    async with talking(answering(answers), settled=False) as talk:
        found = await talk.initialized()
        assert found.quirks.name == vendor
        assert found.capabilities.routing == Routing(*routing)
        assert found.capabilities.preferred == memory
        assert found.sim.iccid == iccid
        assert found.capabilities.service == service
        assert not [line for line in talk.modem.heard if line.startswith(("ATZ", "AT&", "AT^GETPORTMODE"))]
        assert len(talk.modem.heard) < 70


async def test_stored_reports_lie_in_their_own_memory_where_there_is_one() -> None:
    answers, _ = MAKES["ZTE MF190"]
    async with talking(answering(answers)) as talk:
        found = await talk.initialized()
        assert found.capabilities.memories == ("ME", "SM", "SR")
        assert found.capabilities.has(Feature.STORED_REPORTS)
        assert found.capabilities.sentences()[Feature.KEEP_LINK].endswith("(AT+CMMS=?: ERROR)")


async def test_what_a_make_has_but_is_not_used_says_so() -> None:
    answers, _ = MAKES["Cinterion MC75i"]
    async with talking(answering(answers)) as talk:
        found = await talk.initialized()
        assert found.capabilities.sentences()[Feature.KEEP_LINK].endswith("(not used with this make)")


async def test_a_service_centre_that_cannot_be_asked_is_not_called_missing() -> None:
    async with talking(answering({"AT+CSCA?": ERROR})) as talk:
        found = await talk.initialized()
        assert Feature.SERVICE_CENTRE not in found.capabilities.sentences()
        assert not found.capabilities.has(Feature.SERVICE_CENTRE)


@pytest.mark.parametrize("said", [('+CSCA: "",129', "OK"), ("+CSCA: ,", "OK"), OK])
async def test_an_empty_service_centre_is_a_reason_why_nothing_goes(said: tuple[str, ...]) -> None:
    async with talking(answering({"AT+CSCA?": said})) as talk:
        found = await talk.initialized()
        assert "nothing can be sent" in found.capabilities.sentences()[Feature.SERVICE_CENTRE]


async def test_refusals_of_a_ready_modem_cost_no_time() -> None:
    """Each of these was once asked eleven times over, two seconds apart."""
    refused = ("+CMS ERROR: 302",)
    answers: dict[str, object] = {"AT+CSMS=1": refused, "AT+CPMS=?": refused, "AT+CNMI=?": refused}
    answers |= {f'AT+CPMS="{name}"': refused for name in ("ME", "SM")}
    async with talking(answering(answers), settled=False) as talk:
        found = await talk.initialized()
        assert found.capabilities.lacks(Feature.MEMORY)
        for command in ("AT+CSMS=1", "AT+CPMS=?", "AT+CNMI=?", 'AT+CPMS="SM"'):
            assert talk.modem.heard.count(command) == 1, command


async def test_a_service_that_starts_is_waited_for_before_anything_is_called_lacking() -> None:
    starting = ("+CMS ERROR: 302",)
    answers = {"AT+CSCA?": [starting, starting, ('+CSCA: "+15559990000",145', "OK")], "AT+CPMS?": [starting, OK]}
    async with talking(answering(answers), settled=False) as talk:
        found = await talk.initialized()
        assert found.capabilities.has(Feature.SERVICE_CENTRE)
        assert found.capabilities.has(Feature.PHASE_2_PLUS)
        assert talk.modem.heard.count("AT+CSCA?") == 3
        assert talk.modem.heard.count("AT+CPMS?") == 2


async def test_without_pdu_mode_nothing_goes_on() -> None:
    async with talking(answering({"AT+CMGF=0": ERROR})) as talk:
        with pytest.raises(Hung) as caught:
            await talk.initialized()
        assert caught.value.trouble is Trouble.INIT_REFUSED


async def test_a_sim_that_tells_nothing_of_itself_cannot_be_booked() -> None:
    async with talking(answering({**NO_ICCID, "AT+CIMI": ERROR})) as talk:
        with pytest.raises(Hung) as caught:
            await talk.initialized()
        assert caught.value.trouble is Trouble.NOT_READY


async def test_a_radio_that_somebody_left_off_is_switched_on() -> None:
    async with talking(answering({"AT+CFUN?": ("+CFUN: 4", "OK"), "AT+CFUN=1": OK})) as talk:
        await talk.initialized()
        assert talk.heard("AT+CFUN=1") == ["AT+CFUN=1"]


async def test_a_radio_that_is_not_told_is_left_alone() -> None:
    async with talking(answering({"AT+CFUN?": ERROR})) as talk:
        await talk.initialized()
        assert talk.heard("AT+CFUN=") == []


async def test_a_locked_sim_ends_it_before_the_service_is_touched() -> None:
    async with talking(answering({"AT+CPIN?": ("+CPIN: SIM PUK", "OK")})) as talk:
        with pytest.raises(OutOfService):
            await talk.initialized()
        assert talk.heard("AT+CNMI") == []
