"""Text of files: bytes as lines, titles as one line; or the reason why bytes are no text."""

from __future__ import annotations

import codecs
from dataclasses import dataclass
from typing import Final

from gridwell.engine.errors import Fault, InvalidJob
from gridwell.kinds.grid import limits

LONGEST_LINE: Final = 10_000  #: characters; lines of atoms have a hundred
MOST_LINES: Final = 4 * limits.MAX_ATOMS  #: of a file: blank lines and comments beside the atoms

TITLE_CHARACTERS: Final = 72  #: so that no line of a file passes the 80 columns of old readers

#: How files begin that hold another file: people upload them by mistake.
_PACKED: Final = (
    (b"PK\x03\x04", "a zip archive"),
    (b"\x1f\x8b", "compressed by gzip"),
    (b"BZh", "compressed by bzip2"),
    (b"\xfd7zXZ\x00", "compressed by xz"),
    (b"\x28\xb5\x2f\xfd", "compressed by zstd"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive"),
)
#: How the zip archives begin that office programs write.
_SPREADSHEETS: Final = (b"[Content_Types].xml", b"mimetypeapplication/vnd.oasis", b"_rels/.rels")
_ZIP_HEAD: Final = 200  #: bytes
_DOCUMENTS: Final = (
    (b"%PDF-", "a PDF document"),
    (b"\x89PNG\r\n", "a picture"),
    (b"\xff\xd8\xff", "a picture"),
    (b"<", "a page of HTML, or XML"),
    (b"\xd0\xcf\x11\xe0", "a document of an office program"),
)
_MARKS: Final = (  # a byte order mark tells the encoding
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)


@dataclass(frozen=True, slots=True)
class Text:
    """A file's text, each line without its end; the first line has the number 1."""

    lines: list[str]
    notes: tuple[str, ...] = ()  #: what the one who sent the file should know


def file_fault(detail: str) -> InvalidJob:
    """Return the error about a file as a whole."""
    return InvalidJob(Fault("/atoms", detail))


def read_text(data: bytes) -> Text:
    """Return the lines of a file: UTF-8, UTF-16 with a byte order mark, or else Latin-1.

    Lines end as editors count them, by LF, CR LF or CR, and by nothing else.

    Raises:
        InvalidJob: if it is empty, packed, binary, or has more than `MOST_LINES` lines.
    """
    if kind := next((kind for start, kind in _DOCUMENTS if data.startswith(start)), None):
        raise file_fault(f"the file is {kind}; atoms are read from text with numbers, such as CSV")
    for start, packing in _PACKED:
        if data.startswith(start):
            if any(mark in data[:_ZIP_HEAD] for mark in _SPREADSHEETS):
                raise file_fault("the file is a spreadsheet or another document; save it as CSV")
            raise file_fault(f"the file is {packing}; unpack it and give the file that is in it")
    text, notes = _decoded(data)
    if "\0" in text:
        line = text.count("\n", 0, text.index("\0")) + 1
        raise file_fault(
            f"the file is binary: line {line} holds a NUL character; save it as UTF-8 text"
        )
    if not text.strip():
        raise file_fault("the file is empty; it should hold at least one atom")
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    # Counted before they are made: a line takes more memory than its end.
    lines = text.count("\n") + 1
    if lines > MOST_LINES:
        raise file_fault(
            f"the file has {lines:,} lines, more than {MOST_LINES:,}; leave out blank lines, "
            "comments and further molecules"
        )
    return Text(text.split("\n"), notes)


def _decoded(data: bytes) -> tuple[str, tuple[str, ...]]:
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            try:
                return data[len(mark) :].decode(encoding), ()
            except UnicodeDecodeError as error:
                raise file_fault(
                    f"the file's first bytes say {encoding.upper()}, but byte {error.start} of it "
                    "is not; save the file as UTF-8 text"
                ) from error
    try:
        return data.decode(), ()
    except UnicodeDecodeError:
        return data.decode("latin-1"), ("the text is not UTF-8, and was read as Latin-1",)


def one_line(text: str, longest: int = TITLE_CHARACTERS) -> str:
    """Text as one short line of printable ASCII; what is none of it becomes a question mark."""
    plain = "".join(c if " " <= c <= "~" else "?" for c in " ".join(text.split()))
    return plain if len(plain) <= longest else plain[: longest - 3] + "..."


def shortened(text: str, longest: int = 200) -> str:
    """Text as one short line of printable characters, for people to read."""
    return "".join(c for c in " ".join(text[: 2 * longest].split()) if c.isprintable())[:longest]
