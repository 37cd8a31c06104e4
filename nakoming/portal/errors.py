"""What the portal refuses, each with its code. These are for operators; visitors read `texts/`."""

from __future__ import annotations

from nakoming.errors import NakomingError


class PortalError(NakomingError):
    """Something in the portal."""

    code = "NK3000"


class LinkUnknown(PortalError):
    """Unknown, forged, superseded, revoked or expired: nobody is told which."""

    template = "This link does not work (any more)."
    code = "NK3001"


class FormForged(PortalError):
    """A form that this portal did not make for this visitor."""

    template = "The form was not made for this visitor; open the question again and answer there."
    code = "NK3002"


class TooManyRequests(PortalError):
    """More than the limit allows; `seconds` until the next request is taken."""

    template = "Too many requests; the next one is taken in {seconds} s."
    code = "NK3003"


class FormUnreadable(PortalError):
    """The body of a POST is not a form, or a larger one than any question needs."""

    template = "The form could not be read: {reason}."
    code = "NK3004"


class FormTooLarge(FormUnreadable):
    """The body of a POST is larger than any answer to its question."""

    code = "NK3008"


class PublicAddressRefused(PortalError):
    """Cookies of a question need https, or a browser that never leaves this machine."""

    template = (
        "The portal's public address '{url}' is not usable; allowed: https://<name>, or http:// with a "
        "loopback address (127.0.0.1, ::1, localhost)."
    )
    code = "NK3005"
    exit_status = 2


class ProxyRefused(PortalError):
    """A trusted proxy is not an address or network."""

    template = "'{proxy}' is no trusted proxy; allowed: an IP address or network, such as 10.0.0.0/8."
    code = "NK3006"
    exit_status = 2


class TextsDiffer(PortalError):
    """A text is missing in one of the languages."""

    template = "The portal's texts in '{language}' lack {missing}."
    code = "NK3007"
