"""Mails as mail servers send them back, each in its own style, about a message of ours."""

from uuid import UUID


def original(delivery_id: UUID) -> str:
    return (
        f"From: Shop <news@shop.de>\nTo: ada@shop.de\nMessage-ID: <{delivery_id.hex}@postroom.example>\n"
        "Subject: Spring\nMIME-Version: 1.0\n"
    )


def postfix(delivery_id: UUID, to: str = "news@shop.de", status: str = "5.1.1", action: str = "failed") -> bytes:
    return f"""\
Return-Path: <>
Received: by mx.shop.de (Postfix) id 4C1D2; Fri, 20 Nov 2026 20:00:00 +0000 (UTC)
Date: Fri, 20 Nov 2026 20:00:00 +0000 (UTC)
From: MAILER-DAEMON@mx.shop.de (Mail Delivery System)
Subject: Undelivered Mail Returned to Sender
To: {to}
Auto-Submitted: auto-replied
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status;
\tboundary="4C1D2.1795204800/mx.shop.de"
Content-Transfer-Encoding: 7bit
Message-Id: <20261120200000.4C1D2@mx.shop.de>

This is a MIME-encapsulated message.

--4C1D2.1795204800/mx.shop.de
Content-Description: Notification
Content-Type: text/plain; charset=us-ascii

This is the mail system at host mx.shop.de.

<ada@shop.de>: host mail.shop.de[192.0.2.7] said: 550 {status} <ada@shop.de>:
    Recipient address rejected: User unknown (in reply to RCPT TO command)

--4C1D2.1795204800/mx.shop.de
Content-Description: Delivery report
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.shop.de
X-Postfix-Queue-ID: 4C1D2
X-Postfix-Sender: rfc822; {to}
Arrival-Date: Fri, 20 Nov 2026 19:59:58 +0000 (UTC)

Final-Recipient: rfc822; ada@shop.de
Original-Recipient: rfc822;ada@shop.de
Action: {action}
Status: {status}
Remote-MTA: dns; mail.shop.de
Diagnostic-Code: smtp; 550 {status} <ada@shop.de>: Recipient address
    rejected: User unknown

--4C1D2.1795204800/mx.shop.de
Content-Description: Undelivered Message
Content-Type: message/rfc822
Content-Transfer-Encoding: 7bit

Return-Path: <{to}>
{original(delivery_id)}
Good day.

--4C1D2.1795204800/mx.shop.de--
""".encode()


def exchange(delivery_id: UUID) -> bytes:
    """Exchange Online: parts inside parts, CRLF, and the headers alone in return."""
    return f"""\
From: <postmaster@contoso.onmicrosoft.com>
To: <news@shop.de>
Date: Fri, 20 Nov 2026 20:00:00 +0000
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status;
\tboundary="d5e8a7d1-3c0c-4f7c-a1f6-7a4c1d7b0d55"
X-MS-Exchange-Message-Is-Ndr:
Content-Language: en-US
Message-ID: <8c1c7d0e-1@PR3P192MB0001.EURP192.PROD.OUTLOOK.COM>
In-Reply-To: <{delivery_id.hex}@postroom.example>
Subject: Undeliverable: Spring
Auto-Submitted: auto-replied

--d5e8a7d1-3c0c-4f7c-a1f6-7a4c1d7b0d55
Content-Type: multipart/alternative; differences=Content-Type;
\tboundary="b1a0c1c1-0d5a-4f6b-9a31-0b6f5c1e2f10"

--b1a0c1c1-0d5a-4f6b-9a31-0b6f5c1e2f10
Content-Type: text/plain; charset="us-ascii"
Content-Transfer-Encoding: quoted-printable

[https://products.office.com/en-us/CMSImages/Office365Logo_Orange.png]
Your message to ada@shop.de couldn't be delivered.=20

--b1a0c1c1-0d5a-4f6b-9a31-0b6f5c1e2f10
Content-Type: text/html; charset="us-ascii"

<html><body>Your message couldn't be delivered.</body></html>

--b1a0c1c1-0d5a-4f6b-9a31-0b6f5c1e2f10--

--d5e8a7d1-3c0c-4f7c-a1f6-7a4c1d7b0d55
Content-Type: message/delivery-status

Reporting-MTA: dns;PR3P192MB0001.EURP192.PROD.OUTLOOK.COM
Received-From-MTA: dns;mail.postroom.example
Arrival-Date: Fri, 20 Nov 2026 19:59:58 +0000

Final-Recipient: rfc822;ADA@shop.de
Action: failed
Status: 5.1.10
Diagnostic-Code: smtp;550 5.1.10 RESOLVER.ADR.RecipientNotFound; Recipient not found by SMTP address lookup

--d5e8a7d1-3c0c-4f7c-a1f6-7a4c1d7b0d55
Content-Type: message/rfc822

{original(delivery_id)}
--d5e8a7d1-3c0c-4f7c-a1f6-7a4c1d7b0d55--
""".replace("\n", "\r\n").encode()


def gmail(delivery_id: UUID) -> bytes:
    """Gmail: an image in a related part, and a status that says less than the words behind it."""
    return f"""\
Return-Path: <>
From: Mail Delivery Subsystem <mailer-daemon@googlemail.com>
To: news@shop.de
Auto-Submitted: auto-replied
Subject: Delivery Status Notification (Failure)
References: <{delivery_id.hex}@postroom.example>
X-Failed-Recipients: ada@shop.de
Content-Type: multipart/report; boundary="000000000000a1b2c3064d5e6f70"; report-type=delivery-status

--000000000000a1b2c3064d5e6f70
Content-Type: multipart/related; boundary="000000000000a1b2d5064d5e6f72"

--000000000000a1b2d5064d5e6f72
Content-Type: text/plain; charset="UTF-8"

** Address not found **

--000000000000a1b2d5064d5e6f72
Content-Type: image/png; name="icon.png"
Content-Transfer-Encoding: base64
Content-ID: <icon.png>

iVBORw0KGgo=
--000000000000a1b2d5064d5e6f72--
--000000000000a1b2c3064d5e6f70
Content-Type: message/delivery-status

Reporting-MTA: dns; googlemail.com
Arrival-Date: Fri, 20 Nov 2026 12:00:00 -0800 (PST)
X-Original-Message-ID: <{delivery_id.hex}@postroom.example>

Final-Recipient: rfc822; ada@shop.de
Action: failed
Status: 5.0.0
Remote-MTA: dns; mail.shop.de. (192.0.2.7, the server for the domain shop.de.)
Diagnostic-Code: smtp; 550-5.1.1 The email account that you tried to reach does not exist. Please try
 550-5.1.1 double-checking the recipient's email address for typos or
 550 5.1.1 unnecessary spaces. - gsmtp
Last-Attempt-Date: Fri, 20 Nov 2026 12:00:01 -0800 (PST)

--000000000000a1b2c3064d5e6f70
Content-Type: message/rfc822

{original(delivery_id)}
** Message truncated **

--000000000000a1b2c3064d5e6f70--
""".encode()


def qmail(delivery_id: UUID, to: str = "news@shop.de") -> bytes:
    return f"""\
Return-Path: <>
From: MAILER-DAEMON@mail.shop.de
To: {to}
Subject: failure notice

Hi. This is the qmail-send program at mail.shop.de.
I'm afraid I wasn't able to deliver your message to the following addresses.
This is a permanent error; I've given up. Sorry it didn't work out.

<ada@shop.de>:
Sorry, no mailbox here by that name. (#5.1.1)

--- Below this line is a copy of the message.

Return-Path: <{to}>
{original(delivery_id)}
Good day.
""".encode()


def complaint(delivery_id: UUID, kind: str = "abuse", recipient: str | None = "ada@shop.de", sender: str = "") -> bytes:
    """Like the example of RFC 5965 appendix B, about our message."""
    about = f"Original-Rcpt-To: <{recipient}>\n" if recipient else ""
    return f"""\
From: <abusedesk@example.com>
Date: Fri, 20 Nov 2026 17:40:36 +0000
Subject: FW: Spring
To: <abuse@shop.de>
MIME-Version: 1.0
Content-Type: multipart/report; report-type=feedback-report;
     boundary="part1_13d.2e68ed54_boundary"

--part1_13d.2e68ed54_boundary
Content-Type: text/plain; charset="US-ASCII"
Content-Transfer-Encoding: 7bit

This is an email abuse report for an email message received from IP 192.0.2.1.

--part1_13d.2e68ed54_boundary
Content-Type: message/feedback-report

Feedback-Type: {kind}
User-Agent: SomeGenerator/1.0
Version: 1
Original-Mail-From: <{sender}>
{about}Arrival-Date: Fri, 20 Nov 2026 14:00:00 +0000
Source-IP: 192.0.2.1

--part1_13d.2e68ed54_boundary
Content-Type: message/rfc822
Content-Disposition: inline

{original(delivery_id)}
Good day.
--part1_13d.2e68ed54_boundary--
""".encode()


VACATION = b"""\
From: ada@shop.de
To: news@shop.de
Subject: Out of office
Auto-Submitted: auto-replied (vacation)

I am away; your message 5.1.1 will be read.
"""
