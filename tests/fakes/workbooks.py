"""Workbooks made by hand, so that each can be wrong in its own way."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from xml.sax.saxutils import escape

_SPREADSHEETML = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_RELATIONS = "http://schemas.openxmlformats.org/package/2006/relationships"
_OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_TYPES = "http://schemas.openxmlformats.org/package/2006/content-types"
_APPLICATION = "application/vnd.openxmlformats"


def parts(sheet: str) -> dict[str, str]:
    """Return the parts of a workbook with one sheet, People."""
    return {
        "[Content_Types].xml": f'<Types xmlns="{_TYPES}">'
        f'<Default Extension="rels" ContentType="{_APPLICATION}-package.relationships+xml"/>'
        '<Default Extension="xml" ContentType="application/xml"/>'
        '<Override PartName="/xl/workbook.xml" '
        f'ContentType="{_APPLICATION}-officedocument.spreadsheetml.sheet.main+xml"/></Types>',
        "_rels/.rels": f'<Relationships xmlns="{_RELATIONS}"><Relationship Id="rId1" Type="{_OFFICE}/officeDocument" '
        'Target="xl/workbook.xml"/></Relationships>',
        "xl/workbook.xml": f'<workbook xmlns="{_SPREADSHEETML}" xmlns:r="{_OFFICE}"><sheets>'
        '<sheet name="People" sheetId="1" r:id="rId1"/></sheets></workbook>',
        "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{_RELATIONS}"><Relationship Id="rId1" '
        f'Type="{_OFFICE}/worksheet" Target="worksheets/sheet1.xml"/></Relationships>',
        "xl/worksheets/sheet1.xml": sheet,
    }


def sheet_of(rows: Sequence[Sequence[object]]) -> str:
    """Return a sheet: texts as they are, numbers as numbers, None as no cell, ``=x`` as a formula that gave x."""
    lines = (
        f'<row r="{r}">' + "".join(_cell(f"{chr(65 + c)}{r}", value) for c, value in enumerate(row)) + "</row>"
        for r, row in enumerate(rows, 1)
    )
    return f'<worksheet xmlns="{_SPREADSHEETML}"><sheetData>{"".join(lines)}</sheetData></worksheet>'


def write_workbook(
    path: Path,
    rows: Sequence[Sequence[object]] = (),
    *,
    sheet: str | None = None,
    more: Mapping[str, bytes] | None = None,
) -> Path:
    """Write a workbook with these rows, or this sheet, and more parts."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as wrapping:
        for name, text in parts(sheet_of(rows) if sheet is None else sheet).items():
            wrapping.writestr(name, text)
        for name, octets in (more or {}).items():
            wrapping.writestr(name, octets)
    return path


def _cell(place: str, value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return f'<c r="{place}" t="b"><v>{int(value)}</v></c>'
    if isinstance(value, int | float):
        return f'<c r="{place}"><v>{value!r}</v></c>'
    text = escape(str(value))
    if text.startswith("="):
        return f'<c r="{place}" t="str"><f>A1</f><v>{text[1:]}</v></c>'
    return f'<c r="{place}" t="inlineStr"><is><t>{text}</t></is></c>'
