"""Delivery notices as servers write them, replies that are none, and bytes that are nothing."""

from __future__ import annotations

import base64
import textwrap

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.mail.bounces import DeliveryNotice, Outcome, interpret


def mail(text: str) -> bytes:
    return textwrap.dedent(text).lstrip("\n").replace("\n", "\r\n").encode()


def report(
    status: str, original: str = "Message-ID: <q1@vendor.example>\nSubject: x\n", kind: str = ""
) -> bytes:
    """A multipart/report with these fields and this original."""
    return (
        "From: MAILER-DAEMON@mx.example\nMIME-Version: 1.0\nAuto-Submitted: auto-replied\n"
        f'Content-Type: multipart/report; report-type={kind or "delivery-status"}; boundary="=b"\n\n'
        "--=b\nContent-Type: text/plain\n\nTold in words.\n"
        f"--=b\nContent-Type: message/delivery-status\n\n{status}\n"
        f"--=b\nContent-Type: text/rfc822-headers\n\n{original}\n--=b--\n"
    ).encode()


def report_on(recipient_and_fields: str) -> bytes:
    return report(f"Reporting-MTA: dns; r\n\nFinal-Recipient: rfc822; {recipient_and_fields}")


POSTFIX_FAILED = mail("""
    Return-Path: <>
    Date: Tue,  5 Jan 2027 09:30:02 +0100 (CET)
    From: MAILER-DAEMON@relay.vendor.example (Mail Delivery System)
    Subject: Undelivered Mail Returned to Sender
    To: nakoming@vendor.example
    Auto-Submitted: auto-replied
    MIME-Version: 1.0
    Content-Type: multipart/report; report-type=delivery-status;
     boundary="4F1B2A01.1798000000/relay.vendor.example"
    Content-Transfer-Encoding: 8bit
    Message-Id: <20270105083002.9C@relay.vendor.example>

    This is a MIME-encapsulated message.

    --4F1B2A01.1798000000/relay.vendor.example
    Content-Description: Notification
    Content-Type: text/plain; charset=utf-8

    I'm sorry to have to inform you that your message could not be delivered.

    <jan@acme.example>: host mx.acme.example[192.0.2.5] said: 550 5.1.1
        <jan@acme.example>: Recipient address rejected (in reply to RCPT TO command)

    --4F1B2A01.1798000000/relay.vendor.example
    Content-Description: Delivery report
    Content-Type: message/delivery-status

    Reporting-MTA: dns; relay.vendor.example
    Original-Envelope-Id: q1@vendor.example
    X-Postfix-Queue-ID: 4F1B2A01
    Arrival-Date: Tue,  5 Jan 2027 09:30:01 +0100 (CET)

    Final-Recipient: rfc822; jan@acme.example
    Original-Recipient: rfc822;Jan@acme.example
    Action: failed
    Status: 5.1.1
    Remote-MTA: dns; mx.acme.example
    Diagnostic-Code: smtp; 550 5.1.1 <jan@acme.example>: Recipient address
        rejected

    --4F1B2A01.1798000000/relay.vendor.example
    Content-Description: Undelivered Message Headers
    Content-Type: text/rfc822-headers

    Return-Path: <nakoming@vendor.example>
    To: jan@acme.example
    Message-ID:
     <q1@vendor.example>
    Subject: Uw antwoord gevraagd

    --4F1B2A01.1798000000/relay.vendor.example--
    """)
EXCHANGE_FAILED = mail("""
    From: <postmaster@bolt.example>
    To: <nakoming@vendor.example>
    Date: Tue, 5 Jan 2027 08:31:00 +0000
    Content-Type: multipart/report; report-type=delivery-status;
    \tboundary="_8d1e_"
    Content-Language: nl-NL
    Message-ID: <ndr-1@bolt.example>
    In-Reply-To: <q1@vendor.example>
    Subject: Kan niet worden bezorgd: Uw antwoord gevraagd
    Auto-Submitted: auto-replied
    MIME-Version: 1.0

    --_8d1e_
    Content-Type: multipart/alternative; boundary="_in_"

    --_in_
    Content-Type: text/plain; charset="us-ascii"

    Uw bericht aan an@bolt.example kan niet worden bezorgd.

    --_in_
    Content-Type: text/html; charset="us-ascii"

    <html><body>Uw bericht</body></html>

    --_in_--

    --_8d1e_
    Content-Type: message/delivery-status

    Reporting-MTA: dns;EX01.bolt.example
    Received-From-MTA: dns;relay.vendor.example
    Arrival-Date: Tue, 5 Jan 2027 08:30:59 +0000

    Original-Recipient: rfc822;an+2Bsps@bolt.example
    Final-Recipient: rfc822;an+sps@bolt.example
    Action: failed
    Status: 5.1.10
    Diagnostic-Code: smtp;550 5.1.10 RESOLVER.ADR.RecipientNotFound; not found by SMTP address lookup
    X-Display-Name: An Bos

    --_8d1e_
    Content-Type: message/rfc822

    Received: from relay.vendor.example
    MIME-Version: 1.0
    From: nakoming@vendor.example
    To: an+sps@bolt.example
    Subject: Uw antwoord gevraagd
    Message-ID: <q1@vendor.example>
    Content-Type: multipart/alternative; boundary="_orig_"

    --_orig_
    Content-Type: text/plain

    Beste An,

    --_orig_--

    --_8d1e_--
    """)
EXIM_OLD = mail("""
    Return-path: <>
    X-Failed-Recipients: piet@carr.example
    Auto-Submitted: auto-replied
    From: Mail Delivery System <Mailer-Daemon@mx.carr.example>
    To: nakoming@vendor.example
    Subject: Mail delivery failed: returning message to sender
    Message-Id: <E1abc-0001@mx.carr.example>

    This message was created automatically by mail delivery software.

    A message that you sent could not be delivered to one or more of its
    recipients. This is a permanent error. The following address(es) failed:

      piet@carr.example
        SMTP error from remote mail server after RCPT TO:<piet@carr.example>:
        host 192.0.2.9: 550 5.7.1 mailbox closed

    ------ This is a copy of the message, including all the headers. ------

    From: nakoming@vendor.example
    To: piet@carr.example
    Message-ID: <q1@vendor.example>
    Subject: Your answer is needed

    Dear Piet,
    """)


def notice(
    outcome: Outcome,
    recipient: str,
    status: str | None,
    diagnostic: str | None,
    envelope_id: str | None = None,
) -> DeliveryNotice:
    return DeliveryNotice("<q1@vendor.example>", envelope_id, recipient, outcome, status, diagnostic)


SAMPLES = {
    "postfix failed": (
        POSTFIX_FAILED,
        notice(
            Outcome.BOUNCED,
            "Jan@acme.example",
            "5.1.1",
            "550 5.1.1 <jan@acme.example>: Recipient address rejected",
            "q1@vendor.example",
        ),
    ),
    "exchange failed": (
        EXCHANGE_FAILED,
        notice(
            Outcome.BOUNCED,
            "an+sps@bolt.example",
            "5.1.10",
            "550 5.1.10 RESOLVER.ADR.RecipientNotFound; not found by SMTP address lookup",
        ),
    ),
    "exim old": (
        EXIM_OLD,
        notice(
            Outcome.BOUNCED,
            "piet@carr.example",
            "5.7.1",
            "SMTP error from remote mail server after RCPT TO:<piet@carr.example>: host 192.0.2.9: "
            "550 5.7.1 mailbox closed",
        ),
    ),
    "exim new": (
        report(
            "Reporting-MTA: dns; mx.carr.example\n\n"
            "Action: failed\nFinal-Recipient: rfc822;piet@carr.example\n"
            "Status: 5.0.0\nRemote-MTA: dns; 192.0.2.9\nDiagnostic-Code: smtp; 550 mailbox closed\n"
        ),
        notice(Outcome.BOUNCED, "piet@carr.example", "5.0.0", "550 mailbox closed"),
    ),
    "postfix delayed": (
        report_on(
            "jan@acme.example\nAction: delayed\nStatus: 4.4.1\n"
            "Diagnostic-Code: X-Postfix; connect to mx: Connection timed out\nWill-Retry-Until: later\n"
        ),
        notice(Outcome.DELAYED, "jan@acme.example", "4.4.1", "connect to mx: Connection timed out"),
    ),
    "postfix delivered": (
        report(
            "Reporting-MTA: dns; r\nOriginal-Envelope-Id: q1\n\nFinal-Recipient: rfc822; jan@acme.example\n"
            "Action: delivered (to mailbox)\nStatus: 2.0.0\n"
        ),
        notice(Outcome.ACCEPTED, "jan@acme.example", "2.0.0", None, "q1"),
    ),
    "relayed to a server without notices": (
        report_on("jan@acme.example\nAction: relayed\nStatus: 2.0.0\n"),
        notice(Outcome.RELAYED, "jan@acme.example", "2.0.0", None),
    ),
    "expanded by an alias": (
        report_on("all@acme.example\nAction: expanded\nStatus: 2.0.0\n"),
        notice(Outcome.RELAYED, "all@acme.example", "2.0.0", None),
    ),
    "one of two failed": (
        report_on(
            "a@acme.example\nAction: delivered\nStatus: 2.0.0\n\n"
            "Final-Recipient: rfc822; b@acme.example\nAction: failed\nStatus: 5.2.2\n"
        ),
        notice(Outcome.BOUNCED, "b@acme.example", "5.2.2", None),
    ),
    "delivered and 5.x.x: never arrival": (
        report_on("a@acme.example\nAction: delivered\nStatus: 5.0.0\n"),
        notice(Outcome.BOUNCED, "a@acme.example", "5.0.0", None),
    ),
    "a status of 2 without action: not yet arrival": (
        report_on("a@acme.example\nStatus: 2.0.0\n"),
        notice(Outcome.RELAYED, "a@acme.example", "2.0.0", None),
    ),
    "a plus and two digits stay": (
        report("Reporting-MTA: dns; r\n\nOriginal-Recipient: rfc822;jan+42@acme.example\nAction: failed\n"),
        notice(Outcome.BOUNCED, "jan+42@acme.example", None, None),
    ),
    "behind a gateway's disclaimer": (
        b'MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary="=g"\n\n--=g\n'
        + report_on("a@acme.example\nAction: failed\nStatus: 5.1.1\n")
        + b"\n--=g\nContent-Type: text/plain\n\nThis mail was scanned.\n--=g--\n",
        notice(Outcome.BOUNCED, "a@acme.example", "5.1.1", None),
    ),
}


@pytest.mark.parametrize("name", SAMPLES)
def test_what_servers_write(name: str) -> None:
    raw, expected = SAMPLES[name]
    assert interpret(raw) == expected
    assert interpret(raw.replace(b"\r\n", b"\n")) == expected


def test_fields_in_transport_encoding_are_read() -> None:
    status = (
        b"Reporting-MTA: dns; r\n\nFinal-Recipient: rfc822; a@acme.example\nAction: failed\nStatus: 5.1.1\n"
    )
    raw = report("@@").replace(
        b"message/delivery-status\n\n@@",
        b"message/delivery-status\nContent-Transfer-Encoding: base64\n\n" + base64.encodebytes(status),
    )
    told = interpret(raw)
    assert told is not None
    assert (told.outcome, told.recipient) == (Outcome.BOUNCED, "a@acme.example")


OUT_OF_OFFICE = mail("""
    From: jan@acme.example
    Auto-Submitted: auto-replied
    Subject: Afwezig
    In-Reply-To: <q1@vendor.example>

    Ik ben er niet. 550 5.1.1
    """)
FORWARDED = (
    b'From: jan@acme.example\nMIME-Version: 1.0\nContent-Type: multipart/mixed; boundary="=f"\n\n'
    b"--=f\nContent-Type: text/plain\n\nWhat is this?\n--=f\nContent-Type: message/rfc822\n\n"
    + POSTFIX_FAILED.replace(b"\r\n", b"\n")
    + b"\n--=f--\n"
)


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"\x00\xff\xfe",
        b"From: jan@acme.example\nSubject: Re: vraag\n\nAkkoord. Message-ID: <q1@vendor.example>\n",
        OUT_OF_OFFICE,
        report(
            "Reporting-UA: mail\nDisposition: manual-action; displayed\n", kind="disposition-notification"
        ),
        report("Reporting-MTA: dns; r\n"),
        FORWARDED,
    ],
    ids=[
        "empty",
        "bytes",
        "answer",
        "out of office",
        "read receipt",
        "no recipient",
        "forwarded by a person",
    ],
)
def test_what_is_no_notice(raw: bytes) -> None:
    assert interpret(raw) is None


def test_a_mail_nested_without_end_is_no_notice() -> None:
    levels = (b'Content-Type: multipart/mixed; boundary="%d"\n\n--%d\n' % (n, n) for n in range(3000))
    assert interpret(b"".join(levels)) is None


PIECES = st.sampled_from(
    [
        b"Content-Type: multipart/report; report-type=delivery-status; boundary=b\n",
        b"Content-Type: message/delivery-status\n",
        b"Content-Type: message/rfc822\n",
        b"Content-Type: text/rfc822-headers; charset=x-none\n",
        b"Content-Transfer-Encoding: base64\n",
        b"Content-Transfer-Encoding: x-uuencode\n",
        b"X-Failed-Recipients: a@b.example\n",
        b"Action: failed\n",
        b"Action: \xff\n",
        b"Status: 5.1.1\n",
        b"Status:\n",
        b"Final-Recipient: ;\n",
        b"Message-ID: =?utf-8?q?=FF?=\n",
        b"--b\n",
        b"--b--\n",
        b"\n",
        b"\r\n",
        b" folded\n",
        b"=\n",
        b"begin 644 x\n",
    ]
)


@given(st.lists(PIECES | st.binary(max_size=12), max_size=30))
@settings(max_examples=400, deadline=None)
def test_nothing_makes_it_raise(pieces: list[bytes]) -> None:
    told = interpret(b"".join(pieces))
    assert told is None or isinstance(told.outcome, Outcome)


@given(st.sampled_from([sample for sample, _ in SAMPLES.values()]), st.data())
@settings(max_examples=200, deadline=None)
def test_damaged_notices_never_raise(raw: bytes, data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(raw) - 1))
    cut = data.draw(st.integers(0, 40))
    put = data.draw(st.binary(max_size=10))
    told = interpret(raw[:at] + put + raw[at + cut :])
    assert told is None or isinstance(told.outcome, Outcome)
