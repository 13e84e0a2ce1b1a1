"""Receipts and invoices as PDF. The only module that knows a PDF library; only what writes documents loads it."""

import unicodedata
from collections.abc import Iterable, Sequence
from importlib.resources import files
from typing import Any, Final, Literal

from fpdf import FPDF
from fpdf.enums import MethodReturnValue, XPos, YPos
from fpdf.fonts import TTFFont

from kickstand.billing.model import InvoiceDocument, InvoiceKind, InvoiceLine, Receipt, ReceiptLine, Stop
from kickstand.kernel.currencies import formatted, number

# Open Sans (Apache-2.0) holds the Latin, Greek and Cyrillic scripts, Noto Sans CJK (OFL-1.1) those of East Asia.
_SANS: Final = "Open Sans"
_SANS_FILES: Final = {"": "OpenSans-Regular.ttf", "B": "OpenSans-SemiBold.ttf"}
_EAST_ASIAN: Final = "Noto Sans CJK"
_EAST_ASIAN_FILE: Final = "NotoSansCJKjp-Regular.otf"

_INK: Final = (28, 32, 36)
_GREY: Final = (104, 112, 120)
_ACCENT: Final = (0, 110, 98)
_RULE: Final = (214, 219, 223)
_PANEL: Final = (244, 246, 247)

_MARGIN: Final = 20.0
_WIDTH: Final = 210.0 - 2 * _MARGIN

Align = Literal["L", "R"]
Column = tuple[str, float, Align]

_LINE_COLUMNS: Final[tuple[Column, ...]] = (
    ("Description", 60, "L"),
    ("Quantity", 18, "R"),
    ("Unit, net", 20, "R"),
    ("VAT rate", 18, "R"),
    ("Net", 18, "R"),
    ("VAT", 16, "R"),
    ("Total", 20, "R"),
)
_INVOICE_COLUMNS: Final[tuple[Column, ...]] = (
    ("Description", 80, "L"),
    ("Quantity", 18, "R"),
    ("VAT rate", 18, "R"),
    ("Net", 18, "R"),
    ("VAT", 16, "R"),
    ("Total", 20, "R"),
)
_VAT_COLUMNS: Final[tuple[Column, ...]] = (
    ("VAT summary", 60, "L"),
    ("Net", 20, "R"),
    ("VAT", 20, "R"),
    ("Total", 20, "R"),
)


def render(receipt: Receipt) -> bytes:
    """The document of a receipt: one A4 page, byte for byte the same for the same receipt."""
    page = _Page(receipt, "Receipt", (receipt.network, receipt.vehicle_code))
    page.head()
    page.ride(receipt)
    page.lines(_LINE_COLUMNS, [_cells(line, receipt.currency) for line in receipt.lines])
    page.sums()
    page.vat()
    page.notes()
    return page.bytes()


def render_invoice(invoice: InvoiceDocument) -> bytes:
    """The document of an invoice or a credit note, on A4; byte for byte the same for the same invoice."""
    title = "Credit note" if invoice.kind is InvoiceKind.CREDIT_NOTE else "Invoice"
    page = _Page(invoice, title, (invoice.network, *(line.text for line in invoice.lines)))
    page.head()
    page.subject(invoice)
    page.lines(_INVOICE_COLUMNS, [_invoice_cells(line, invoice.currency) for line in invoice.lines])
    page.sums()
    page.vat()
    page.notes()
    return page.bytes()


class _Page:
    """A document being drawn from top to bottom. Lengths in millimetres, sizes of type in points.

    Attributes:
        shown: what it shows.
        title: what it is.
    """

    def __init__(self, shown: Receipt | InvoiceDocument, title: str, texts: Iterable[str]) -> None:
        self.shown = shown
        self.title = title
        self.pdf = FPDF(orientation="portrait", unit="mm", format="A4")
        self.pdf.set_margins(_MARGIN, _MARGIN, _MARGIN)
        self.pdf.set_auto_page_break(auto=True, margin=_MARGIN)
        self.pdf.c_margin = 0
        self.pdf.set_title(f"{title} {shown.number}")
        self.pdf.set_author(_nfc(shown.issuer.name))
        self.pdf.set_lang("en")
        # Nothing in the file depends on when it is written.
        self.pdf.set_creation_date(shown.issued_at)
        self._load_fonts(texts)
        self.pdf.add_page()

    def bytes(self) -> bytes:
        return bytes(self.pdf.output())

    def head(self) -> None:
        shown, issuer = self.shown, self.shown.issuer
        top = self.pdf.get_y()
        self._text(issuer.name, size=13, style="B", width=100, height=6)
        for line in (*issuer.address, f"VAT number {issuer.vat_number}", issuer.email):
            self._text(line, size=8.5, colour=_GREY, width=100, height=4.2)
        bottom = self.pdf.get_y()
        self.pdf.set_xy(_MARGIN + 105, top - 1)
        self._text(self.title, size=22, style="B", colour=_ACCENT, width=_WIDTH - 105, height=10, align="R")
        for label, value in (("No.", shown.number), ("Date", f"{shown.issued_at:%-d %B %Y, %H:%M %Z}")):
            self.pdf.set_x(_MARGIN + 105)
            self._text(f"{label} {value}", size=9, width=_WIDTH - 105, height=4.8, align="R")
        self.pdf.set_y(max(bottom, self.pdf.get_y()) + 6)

    def ride(self, receipt: Receipt) -> None:
        how_far = [] if receipt.distance_m is None else [f"{receipt.distance_m / 1000:.1f} km"]
        facts = (
            ("Vehicle", [receipt.vehicle_code, receipt.network]),
            ("From", _stop(receipt.start)),
            ("To", _stop(receipt.end)),
            ("Ride", [_length(receipt.riding_s), *how_far]),
        )
        self._panel(facts, (34, 48, 48, 32), height=27)

    def subject(self, invoice: InvoiceDocument) -> None:
        facts = (("For", [invoice.about, invoice.network]), ("Payment", [invoice.standing]))
        self._panel(facts, (82, 82), height=22)

    def _panel(self, facts: Iterable[tuple[str, list[str]]], widths: Iterable[float], *, height: float) -> None:
        top = self.pdf.get_y()
        self.pdf.set_fill_color(*_PANEL)
        self.pdf.rect(_MARGIN, top, _WIDTH, height, style="F")
        self.pdf.set_fill_color(*_ACCENT)
        self.pdf.rect(_MARGIN, top, 1.2, height, style="F")
        x = _MARGIN + 6
        for (label, values), width in zip(facts, widths, strict=True):
            self.pdf.set_xy(x, top + 4)
            self._text(label, size=7.5, colour=_GREY, width=width, height=4.4)
            for row, value in enumerate(values):
                self.pdf.set_x(x)
                self._text(value, size=8.5 if row else 10, style="" if row else "B", width=width, height=4.9)
            x += width
        self.pdf.set_y(top + height + 8)

    def lines(self, columns: Sequence[Column], rows: Iterable[list[str]]) -> None:
        self._heading(columns)
        for row in rows:
            self._row(columns, row)

    def sums(self) -> None:
        shown = self.shown
        self.pdf.set_y(self.pdf.get_y() + 3)
        for label, amount in (("Net", shown.net), ("VAT", shown.vat)):
            self._sum(label, formatted(amount, shown.currency), size=9, height=5.2)
        self.pdf.set_y(self.pdf.get_y() + 1)
        self._rule(_MARGIN + _WIDTH - 74, colour=_ACCENT, thickness=0.5)
        self.pdf.set_y(self.pdf.get_y() + 1.5)
        self._sum("Total incl. VAT", formatted(shown.total, shown.currency), size=13, height=8, style="B")

    def vat(self) -> None:
        currency = self.shown.currency
        self.pdf.set_y(self.pdf.get_y() + 9)
        self._heading(_VAT_COLUMNS)
        for each in self.shown.vat_sums:
            rate = "Outside the scope of VAT" if each.percent is None else f"VAT {each.percent} %"
            self._row(_VAT_COLUMNS, [rate, *(number(amount, currency) for amount in (each.net, each.vat, each.gross))])

    def notes(self) -> None:
        self.pdf.set_y(self.pdf.get_y() + 8)
        for note in (*self.shown.notes, f"All amounts in {self.shown.currency}. Times are local."):
            self._text(note, size=8.5, colour=_GREY, width=_WIDTH, height=4.6)

    def _load_fonts(self, texts: Iterable[str]) -> None:
        fonts = files("ttf_opensans") / "ttf"
        for style, name in _SANS_FILES.items():
            self.pdf.add_font(_SANS, style, str(fonts / name))
        self.pdf.set_font(_SANS, "", 9)
        sans = self.pdf.current_font
        known = sans.cmap if isinstance(sans, TTFFont) else {}
        self.foreign = {letter for letter in _writing(self.shown, texts) if ord(letter) not in known}
        # The big font takes a third of a second to read: only a document that needs it pays for it.
        if self.foreign:
            self.pdf.add_font(_EAST_ASIAN, "", str(files("noto_cjk_sans_jp_regular") / _EAST_ASIAN_FILE))

    def _font(self, text: str, style: Literal["", "B"], size: float) -> None:
        if self.foreign.isdisjoint(text):
            self.pdf.set_font(_SANS, style, size)
        else:
            self.pdf.set_font(_EAST_ASIAN, "", size)

    def _text(
        self,
        text: str,
        *,
        size: float,
        width: float,
        height: float,
        style: Literal["", "B"] = "",
        colour: tuple[int, int, int] = _INK,
        align: Align = "L",
    ) -> None:
        written = _nfc(text)
        self._font(written, style, size)
        self.pdf.set_text_color(*colour)
        self.pdf.multi_cell(width, height, written, align=align, new_x=XPos.LMARGIN, new_y=YPos.NEXT)

    def _cell(self, text: str, width: float, height: float, align: Align) -> None:
        self.pdf.cell(width, height, text, align=align, new_x=XPos.RIGHT, new_y=YPos.TOP)

    def _heading(self, columns: Sequence[Column]) -> None:
        self.pdf.set_font(_SANS, "B", 7.5)
        self.pdf.set_text_color(*_GREY)
        for title, width, align in columns:
            self._cell(title, width, 6, align)
        self.pdf.ln(6)
        self._rule(_MARGIN, colour=_INK, thickness=0.3, width=sum(width for _, width, _ in columns))

    def _row(self, columns: Sequence[Column], texts: Sequence[str]) -> None:
        (_, width, _), name = columns[0], _nfc(texts[0])
        self._font(name, "", 9)
        # Names of products can be long: they take as many lines as they need, on one page.
        first, *more = self._broken(name, width)
        if self.pdf.will_page_break(7.5 + len(more) * 4.6):
            self.pdf.add_page()
        self.pdf.set_text_color(*_INK)
        self._cell(first, width, 7.5, "L")
        self.pdf.set_font(_SANS, "", 9)
        for (_, each, align), text in zip(columns[1:], texts[1:], strict=True):
            self._cell(text, each, 7.5, align)
        self._font(name, "", 9)
        for line in more:
            self.pdf.ln(4.6)
            self._cell(line, width, 7.5, "L")
        self.pdf.ln(7.5)
        self._rule(_MARGIN, colour=_RULE, thickness=0.2, width=sum(width for _, width, _ in columns))

    def _broken(self, text: str, width: float) -> list[str]:
        lines: Any = self.pdf.multi_cell(width, 4.6, text, dry_run=True, output=MethodReturnValue.LINES)
        return lines or [text]

    def _sum(self, label: str, amount: str, *, size: float, height: float, style: Literal["", "B"] = "") -> None:
        self.pdf.set_x(_MARGIN + _WIDTH - 74)
        self.pdf.set_font(_SANS, style, size)
        self.pdf.set_text_color(*_INK)
        self._cell(label, 34, height, "L")
        self._cell(amount, 40, height, "R")
        self.pdf.ln(height)

    def _rule(self, x: float, *, colour: tuple[int, int, int], thickness: float, width: float | None = None) -> None:
        end = _MARGIN + _WIDTH if width is None else x + width
        self.pdf.set_draw_color(*colour)
        self.pdf.set_line_width(thickness)
        self.pdf.line(x, self.pdf.get_y(), end, self.pdf.get_y())


def _cells(line: ReceiptLine, currency: str) -> list[str]:
    return [
        line.text,
        str(line.quantity),
        number(line.unit_net, currency),
        "none" if line.vat_percent is None else f"{line.vat_percent} %",
        *(number(amount, currency) for amount in (line.net, line.vat, line.gross)),
    ]


def _invoice_cells(line: InvoiceLine, currency: str) -> list[str]:
    return [
        line.text,
        str(line.quantity),
        "none" if line.vat_percent is None else f"{line.vat_percent} %",
        *(number(amount, currency) for amount in (line.net, line.vat, line.gross)),
    ]


def _stop(stop: Stop) -> list[str]:
    return [f"{stop.at:%H:%M}", f"{stop.at:%-d %B %Y}", *([stop.place] if stop.place else [])]


def _length(seconds: int) -> str:
    hours, minutes = divmod(-(-seconds // 60), 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min"


def _writing(shown: Receipt | InvoiceDocument, texts: Iterable[str]) -> set[str]:
    issuer = shown.issuer
    named = (issuer.name, *issuer.address, issuer.vat_number, issuer.email, *texts)
    return {letter for text in named for letter in _nfc(text)}


def _nfc(text: str) -> str:
    return unicodedata.normalize("NFC", text)
