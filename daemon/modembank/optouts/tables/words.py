"""The words with which people stop messages and have them again, by language.

``stop`` and ``start`` are acted on when they are the whole text. ``doubtful`` words mean it often, and something else
as often ("end of the meeting", "cancel my appointment", "enough"): a person decides. English has none among the seven
that 47 CFR 64.1200(a)(10) names as a revocation in themselves (stop, quit, end, revoke, opt out, cancel, unsubscribe).
Plain answers to questions (yes, no, ja, si, ok) stand nowhere: they are what people answer to the message before.
"""

from __future__ import annotations

from typing import NamedTuple


class Words(NamedTuple):
    """Words of one language, separated by blanks; ``_`` stands for a blank within one."""

    stop: str
    start: str = ""
    doubtful: str = ""


EVERYWHERE = Words("STOP STOPALL STOP_ALL STOP_SMS SMS_STOP", "START UNSTOP")
"""Used whatever the language: networks and handsets teach them all over the world."""

WORDS: dict[str, Words] = {
    "ar": Words("توقف ايقاف إيقاف قف ستوب الغاء_الاشتراك إلغاء_الاشتراك", "ابدأ اشتراك", "الغاء كفى"),
    "bg": Words("СТОП ОТПИШИ ОТПИСВАНЕ СПРИ", "СТАРТ", "КРАЙ ОТКАЗ"),
    "cs": Words("ODHLASIT ODHLÁSIT ODHLAŠTE", "PŘIHLÁSIT", "KONEC ZRUŠIT"),
    "da": Words("AFMELD FRAMELD STOP_SMS", "TILMELD", "SLUT ANNULLER"),
    "de": Words("STOPP ABMELDEN ABMELDUNG ABBESTELLEN AUSTRAGEN", "ANMELDEN", "ENDE ABBRUCH KÜNDIGEN SCHLUSS AUFHÖREN"),
    "el": Words("ΣΤΟΠ ΔΙΑΓΡΑΦΗ ΔΙΑΚΟΠΗ", "ΕΝΑΡΞΗ ΕΓΓΡΑΦΗ", "ΤΕΛΟΣ ΑΚΥΡΩΣΗ"),
    "en": Words(
        "UNSUBSCRIBE END CANCEL QUIT OPTOUT OPT_OUT REVOKE STOP_TEXTING UNSUB",
        "SUBSCRIBE OPTIN OPT_IN RESUBSCRIBE",
        "REMOVE DELETE ENOUGH FINISH",
    ),
    "es": Words("BAJA DARME_DE_BAJA DESUSCRIBIR PARAR", "ALTA INICIAR", "ALTO CANCELAR FIN BASTA"),
    "et": Words("LOOBU LOOBUN", "LIITU", "LÕPP"),
    "fi": Words("LOPETA PERUUTA_TILAUS", "ALOITA TILAA", "PERU POISTA SEIS"),
    "fr": Words(
        "ARRET ARRÊT ARRETER ARRÊTER DESABONNER DÉSABONNEMENT DESINSCRIRE", "REPRENDRE", "FIN ANNULER RESILIER"
    ),
    "hi": Words("स्टॉप रोकें रोको बंद_करो बंद_करें", "स्टार्ट शुरू", "बंद बस"),
    "hr": Words("ODJAVA ODJAVI", "PRIJAVA", "KRAJ PREKID"),
    "hu": Words("LEIRATKOZAS LEIRATKOZÁS LEIRATKOZOM LEIRATKOZOK", "FELIRATKOZÁS", "VÉGE ELÉG TÖRLÉS"),
    "it": Words("DISISCRIVI DISISCRIVIMI CANCELLAMI DISATTIVA", "ISCRIVI ISCRIVIMI ATTIVA", "ANNULLA BASTA FINE FERMA"),
    "lt": Words("ATSISAKAU ATSISAKYTI", "SUTINKU", "GANA"),
    "lv": Words("ATTEIKTIES ATTEIKUMS", "PIETEIKTIES", "BEIGT"),
    "nb": Words("STOPP AVMELD MELD_AV", "MELD_PÅ", "SLUTT AVSLUTT"),
    "nl": Words("AFMELDEN UITSCHRIJVEN AFMELDING STOPPEN", "AANMELDEN", "EINDE OPZEGGEN ANNULEREN"),
    "pl": Words("WYPISZ REZYGNUJE REZYGNUJĘ REZYGNACJA", "ZAPISZ", "KONIEC ANULUJ"),
    "pt": Words("PARAR SAIR DESCADASTRAR REMOVER", "INICIAR VOLTAR_A_RECEBER", "CANCELAR FIM PARE"),
    "ro": Words("DEZABONARE DEZABONEAZA DEZABONEAZĂ", "ABONARE", "ANULEAZA GATA"),
    "ru": Words("СТОП ОТПИСКА ОТПИСАТЬСЯ ОТПИШИТЕ", "СТАРТ ПОДПИСАТЬСЯ", "ОТКАЗ ОТМЕНА ХВАТИТ КОНЕЦ"),
    "sk": Words("ODHLASIT ODHLÁSIŤ", "PRIHLÁSIŤ", "KONIEC ZRUŠIŤ"),
    "sl": Words("ODJAVA ODJAVI", "PRIJAVA", "KONEC PREKLIC"),
    "sv": Words("STOPP AVREGISTRERA AVANMÄL AVANMÄLAN", "STARTA ANMÄL", "AVSLUTA SLUT"),
    "tr": Words("DURDUR RET ABONELİKTEN_ÇIK", "BAŞLAT", "İPTAL DUR SON"),
    "uk": Words("СТОП ВІДПИСКА ВІДПИСАТИСЯ", "СТАРТ ПІДПИСАТИСЯ", "ВІДМОВА КІНЕЦЬ"),
}

IN_SENTENCES = frozenset(
    {"STOP", "STOPALL", "UNSUBSCRIBE", "OPTOUT", "UNSUB", "STOPP", "ABMELDEN", "ARRET", "BAJA", "СТОП", "ΣΤΟΠ"}
)
"""Words that make a person look at a short text of which they are a part."""
PHRASES = (
    "remove me",
    "take me off",
    "opt out",
    "opt me out",
    "no more messages",
    "no more texts",
    "do not text",
    "dont text",
    "do not contact",
    "leave me alone",
    "wrong number",
    "keine nachrichten mehr",
    "keine sms mehr",
    "plus de messages",
    "no mas mensajes",
)
ORDINARY = frozenset(
    {
        "top",
        "shop",
        "step",
        "stops",
        "store",
        "slop",
        "stoop",
        "atop",
        "baya",
        "baia",
        "vaja",
        "caja",
        "paja",
        "bajo",
        "bala",
        "fend",
        "send",
        "bend",
    }
)
"""What is one slip away from a stop word and means something else."""
