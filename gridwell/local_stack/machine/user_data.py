"""Takes user data apart as cloud-init does: boothooks, scripts, or MIME of both."""

from __future__ import annotations

from dataclasses import dataclass

BOOTHOOK, SCRIPT = "boothook", "script"
_BOOTHOOK_LINE = b"#cloud-boothook"
_KINDS = {"text/cloud-boothook": BOOTHOOK, "text/x-shellscript": SCRIPT}


@dataclass(frozen=True, slots=True, kw_only=True)
class MimePart:
    """One program of the user data: a boothook runs at every boot, a script at the first."""

    kind: str
    content: bytes


def parse(data: bytes) -> tuple[list[MimePart], list[str]]:
    """Return the programs in user data.

    Returns:
        The parts in order, and a warning for each part that this machine cannot run.
    """
    if not data.strip():
        return [], []
    if data.startswith(b"\x1f\x8b"):
        return [], ["user data is gzip, which this machine does not unpack: send it as plain text"]
    if data.lstrip().lower().startswith((b"content-type: multipart", b"mime-version")):
        return _parse_multipart(data)
    part = _part(data)
    return ([part], []) if part else ([], [_unknown(data)])


def _part(content: bytes, kind: str | None = None) -> MimePart | None:
    if kind == BOOTHOOK or content.startswith(_BOOTHOOK_LINE):
        if content.startswith(_BOOTHOOK_LINE):
            content = content.partition(b"\n")[2]
        return MimePart(kind=BOOTHOOK, content=content)
    if kind == SCRIPT or content.startswith(b"#!"):
        return MimePart(kind=SCRIPT, content=content)
    return None


def _parse_multipart(data: bytes) -> tuple[list[MimePart], list[str]]:
    import email.policy  # noqa: PLC0415 - slow to import, and few boots need it

    message = email.message_from_bytes(data, policy=email.policy.default)
    parts, warnings = [], []
    for piece in message.walk():
        if piece.is_multipart():
            continue
        raw = piece.get_payload(decode=True)
        content = raw if isinstance(raw, bytes) else b""
        part = _part(content.lstrip(), _KINDS.get(piece.get_content_type()))
        if part:
            parts.append(part)
        else:
            warnings.append(_unknown(content))
    return parts, warnings


def _unknown(data: bytes) -> str:
    first = data.strip().partition(b"\n")[0][:60].decode(errors="replace")
    return f"user data that begins with {first!r} is neither #! nor #cloud-boothook: ignored"
