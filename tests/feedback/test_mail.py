"""What mail servers send back is read in each one's style, and nothing hostile is believed or takes long."""

import asyncio
import base64
import threading
from collections.abc import Callable
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroom.feedback.mail import AT_ONCE, MailReader, Outcome, Reading
from postroom.feedback.parts import DEPTH, SIZE_LIMIT, leaves, opened
from postroom.feedback.report import Kind, Report
from postroom.feedback.return_paths import ReturnPaths
from tests.feedback import samples

ID = UUID("019a9f3c-2b7e-7d1f-8a4c-5b6d7e8f9a0b")
BOUNCES = "bounces.postroom.example"
RETURNS = ReturnPaths({"test": b"r" * 32}, BOUNCES)
READER = MailReader(RETURNS)
STATUS_PART = b"Content-Type: multipart/report; boundary=a\n\n--a\nContent-Type: message/delivery-status\n\n"


def only(raw: bytes, reader: MailReader = READER) -> Report:
    reading = reader.read(raw)
    assert len(reading.reports) == 1, reading
    return reading.reports[0]


@pytest.mark.parametrize(
    ("raw", "enhanced", "recipient"),
    [
        (samples.postfix(ID), "5.1.1", "ada@shop.de"),
        (samples.exchange(ID), "5.1.10", "ADA@shop.de"),
        (samples.gmail(ID), "5.1.1", "ada@shop.de"),
        (samples.qmail(ID), "5.1.1", "ada@shop.de"),
    ],
)
def test_a_bounce_in_each_style(raw: bytes, enhanced: str, recipient: str) -> None:
    with_other_ends = raw.replace(b"\r\n", b"\n") if b"\r\n" in raw else raw.replace(b"\n", b"\r\n")
    for report in (only(raw), only(raw, MailReader(ReturnPaths({"test": b"r" * 32}))), only(with_other_ends)):
        assert (report.kind, report.delivery_id, report.source) == (Kind.BOUNCED, ID, "dsn")
        assert (report.permanent, report.enhanced) == (True, enhanced)
        assert (report.recipient, report.proven) == (recipient, False)
        assert report.detail
        assert "@" not in report.detail


@pytest.mark.parametrize("sample", [samples.postfix, samples.qmail])
def test_a_return_path_proves_its_message(sample: Callable[[UUID, str], bytes]) -> None:
    address = RETURNS.address(ID, BOUNCES)
    assert only(sample(UUID(int=7), address)).delivery_id == ID
    assert only(sample(UUID(int=7), address.upper())).proven


def test_a_forged_return_path_is_believed_nothing() -> None:
    address = RETURNS.address(ID, BOUNCES)
    for forged in (address.replace("b+", "b+aa", 1), f"b+{'a' * 52}@{BOUNCES}", f"b+@{BOUNCES}"):
        reading = READER.read(samples.postfix(ID, forged))
        assert (reading.outcome, list(reading.reports)) == (Outcome.FORGED, [])
    assert READER.read(samples.complaint(ID, sender=f"b+{'a' * 52}@{BOUNCES}")).outcome is Outcome.FORGED


@pytest.mark.parametrize(
    ("action", "status", "kind", "permanent"),
    [
        ("failed", "4.4.7", Kind.BOUNCED, False),
        ("FAILED", "5.2.2", Kind.BOUNCED, True),
        ("delayed", "4.4.1", Kind.DELAYED, False),
        ("delivered", "2.0.0", Kind.DELIVERED, None),
    ],
)
def test_actions(action: str, status: str, kind: Kind, permanent: bool | None) -> None:  # noqa: FBT001 - a table
    report = only(samples.postfix(ID, action=action, status=status))
    assert (report.kind, report.permanent) == (kind, permanent)


def test_relayed_says_nothing() -> None:
    assert list(READER.read(samples.postfix(ID, action="relayed", status="2.0.0")).reports) == []


@pytest.mark.parametrize("recipient", ["ada@shop.de", None, "redacted@shop.de", "<redacted>"])
def test_a_complaint(recipient: str | None) -> None:
    report = only(samples.complaint(ID, recipient=recipient))
    named = recipient if recipient == "ada@shop.de" else None
    assert report == Report(Kind.COMPLAINED, ID, "arf", recipient=named)


def test_a_complaint_that_is_none() -> None:
    for kind in ("not-spam", "opt-out", "", "auth-failure"):
        reading = READER.read(samples.complaint(ID, kind))
        assert (reading.outcome, list(reading.reports)) == (Outcome.COMPLAINT, [])
    assert only(samples.complaint(UUID(int=7), sender=RETURNS.address(ID, BOUNCES))).proven


def test_answers_of_people_and_programs_are_no_reports() -> None:
    assert READER.read(samples.VACATION).outcome is Outcome.AUTO_REPLY
    assert READER.read(samples.VACATION.replace(b"Auto-Submitted", b"X-Plain")).outcome is Outcome.NOT_A_REPORT
    assert READER.read(b"Precedence: bulk\n\nx").outcome is Outcome.AUTO_REPLY
    assert READER.read(b"").outcome is Outcome.NOT_A_REPORT


def test_a_report_about_other_mail_says_nothing_of_ours() -> None:
    raw = samples.postfix(ID).replace(ID.hex.encode(), b"CAFEBABE-not-ours")
    assert list(READER.read(raw).reports) == []


def test_what_came_encoded_is_read() -> None:
    raw = samples.postfix(ID)
    start = raw.index(b"Reporting-MTA")
    end = raw.index(b"--4C1D2", start)
    coded = base64.encodebytes(raw[start:end])
    head = b"Content-Transfer-Encoding: base64\n\n"
    assert only(raw[: start - 1] + head + coded + raw[end:]).enhanced == "5.1.1"


@pytest.mark.parametrize("boundary", [b'"4C1D2.1795204800/mx.shop.de"', b"4C1D2.1795204800/mx.shop.de; x=y"])
def test_a_boundary_is_found_however_it_is_written(boundary: bytes) -> None:
    raw = samples.postfix(ID).replace(
        b'\tboundary="4C1D2.1795204800/mx.shop.de"', b" charset=x ;\n\tBOUNDARY = " + boundary
    )
    assert only(raw).enhanced == "5.1.1"


def nested(depth: int) -> bytes:
    opening = "".join(f'Content-Type: multipart/mixed; boundary="b{one}"\n\n--b{one}\n' for one in range(depth))
    return opening.encode() + samples.postfix(ID) + "".join(f"\n--b{one}--" for one in reversed(range(depth))).encode()


def test_nesting_is_followed_so_far_and_no_further() -> None:
    assert only(nested(DEPTH - 1)).enhanced == "5.1.1"
    assert READER.read(nested(2_000)).outcome is Outcome.NOT_A_REPORT
    assert len(list(leaves(opened(nested(2_000))))) == 1


@pytest.mark.parametrize(
    "hostile",
    [
        b"Content-Type: multipart/report; boundary=a\n\n" + b"--a\n" * 500_000,
        b"X: y\n" * 500_000,
        b"Content-Type: multipart/report; boundary*0=a; boundary*1=b\n\n--ab\n",
        b"Content-Type: multipart/report; boundary=\n\n--\n",
        b"Content-Type: multipart/report; boundary*=a; boundary*0=b\n\n--a\n",
        b"Content-Type: multipart/report; boundary*" + b"9" * 5_000 + b"=x\n\n--x\n",
        b"Content-Type: multipart/report; boundary=b\n\n"
        + (b'\n--b\nContent-Type: multipart/x; a="' + b";" * 60_000 + b"\n\n") * 16,  # took two minutes and a half
        b"Content-Type: " + b"multipart/" * 10_000 + b"\n\n",
        b"\n\nHi. This is the" + b"\n<a@b>:\n" * 100_000,
        b"Subject: x\n\nHi. This is the " + b"<" * 900_000,
        STATUS_PART + b"A: b\n\n" * 99_999,
        STATUS_PART + b"Content-Transfer-Encoding: base64\n\n!\n",
        b"To: " + b"a@b.de, " * 7_000 + b"\n" + STATUS_PART + b"A: b\n\n",
        b"To: " + b"(" * 60_000 + b"\n" + STATUS_PART + b"A: b\n\n",
        b"\xff\xfe\x00" * 1_000,
        b"From x\nTo: a\n\n" + b"\0" * (2 * SIZE_LIMIT),
    ],
)
def test_hostile_mail_is_no_report(hostile: bytes) -> None:
    assert list(READER.read(hostile).reports) == []


@given(st.binary(max_size=400), st.integers(0, 3_000))
def test_nothing_makes_the_reader_fail(noise: bytes, at: int) -> None:
    raw = samples.postfix(ID)
    assert READER.read(raw[:at] + noise + raw[at:]).outcome in set(Outcome)
    assert READER.read(raw[:at] + noise).outcome in set(Outcome)


class Counted(MailReader):
    """A reader that knows how many mails it has before it."""

    def __init__(self) -> None:
        super().__init__(RETURNS)
        self._lock = threading.Lock()
        self._open = 0
        self.most = 0

    def read(self, raw: bytes) -> Reading:
        with self._lock:
            self._open += 1
            self.most = max(self.most, self._open)
        reading = super().read(raw)
        with self._lock:
            self._open -= 1
        return reading


async def test_of_a_flood_a_few_are_read_at_once_and_none_is_lost() -> None:
    reader, slow = Counted(), b"X: y\n" * 100_000
    readings = await asyncio.gather(*(reader.read_aside(raw) for _ in range(4) for raw in (samples.postfix(ID), slow)))
    assert [len(reading.reports) for reading in readings] == [1, 0] * 4
    assert reader.most <= AT_ONCE
