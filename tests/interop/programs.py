"""Starts a Postfix and an OpenDKIM of our own on this machine, in a folder of their own, and ends them."""

import asyncio
import os
import shutil
import signal
import socket
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path

# Program by Debian package; all of Postfix's own live beside the first.
PACKAGES = {"postfix": "/usr/sbin/postfix", "opendkim": "/usr/sbin/opendkim", "spamassassin": "/usr/bin/spamassassin"}
HOST = "mx.interop.example"
PATIENCE_SECONDS = 30.0

MAIN = """
compatibility_level = 3.6
queue_directory = {folder}/queue
data_directory = {folder}/data
maillog_file = {folder}/postfix.log
maillog_file_prefixes = {folder}
myhostname = {host}
mydestination =
alias_maps =
alias_database =
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
mynetworks = 127.0.0.0/8
smtpd_relay_restrictions = permit_mynetworks, reject
relayhost = [127.0.0.1]:{next_hop}
smtp_dns_support_level = disabled
smtp_host_lookup = native
smtpd_milters = inet:127.0.0.1:{milter}
milter_default_action = tempfail
smtputf8_enable = yes
smtpd_client_connection_count_limit = 0
"""
MASTER = """
127.0.0.1:{port} inet n - n - - smtpd
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
smtp unix - - n - - smtp
relay unix - - n - - smtp
error unix - - n - - error
retry unix - - n - - error
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd
"""
OPENDKIM = """
Socket inet:{port}@127.0.0.1
Mode v
AuthservID {host}
AlwaysAddARHeader yes
InternalHosts {folder}/internal
TestDNSData file:{folder}/records
On-BadSignature accept
On-NoSignature accept
PidFile {folder}/opendkim.pid
Syslog no
"""


def missing() -> list[str]:
    """Packages whose programs are not here."""
    return [package for package, program in PACKAGES.items() if shutil.which(program) is None]


def free_port() -> int:
    """A port nobody listens on now."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port: int = taken.getsockname()[1]
        return port


@asynccontextmanager
async def verifier(folder: Path, records: Mapping[str, str]) -> AsyncIterator[int]:
    """Run OpenDKIM with these TXT records for its DNS; gives its port."""
    port = free_port()
    (folder / "internal").write_text("192.0.2.1\n")
    (folder / "records").write_text("".join(f"{name} {text}\n" for name, text in records.items()))
    (folder / "opendkim.conf").write_text(OPENDKIM.format(port=port, host=HOST, folder=folder))
    async with running([PACKAGES["opendkim"], "-f", "-x", str(folder / "opendkim.conf")], folder, port):
        yield port


@asynccontextmanager
async def relay(folder: Path, milter: int, next_hop: int) -> AsyncIterator[int]:
    """Run Postfix, which asks the verifier and passes everything on; gives its port."""
    port, config = free_port(), folder / "postfix"
    for name in ("postfix", "queue", "data"):
        (folder / name).mkdir()
    shutil.chown(folder / "data", "postfix", "postfix")
    (config / "main.cf").write_text(MAIN.format(folder=folder, host=HOST, next_hop=next_hop, milter=milter))
    (config / "master.cf").write_text(MASTER.format(port=port))
    async with running([PACKAGES["postfix"], "-c", str(config), "start-fg"], folder, port):
        try:
            yield port
        finally:  # Postfix's own master leads a group of its own
            os.killpg(int((folder / "queue/pid/master.pid").read_text()), signal.SIGTERM)


@asynccontextmanager
async def running(command: Sequence[str], folder: Path, port: int) -> AsyncIterator[None]:
    """Run a program until it listens, and end it and its children by their group."""
    with (folder / f"{Path(command[0]).name}.out").open("wb") as out:
        process = await asyncio.create_subprocess_exec(*command, stdout=out, stderr=out, start_new_session=True)
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            while not await _listens(port):
                if process.returncode is not None:
                    raise RuntimeError(f"{command[0]} ended early; see {folder}")
                await asyncio.sleep(0.1)
        yield
    finally:
        with suppress(ProcessLookupError):  # it may be about to end by itself
            os.killpg(process.pid, signal.SIGTERM)
        await process.wait()


async def _listens(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.close()
    return True


async def spam_score(message: bytes, folder: Path) -> tuple[float, str]:
    """What SpamAssassin gives a message, and for which tests; it asks nobody on the network.

    That the mail never left this machine would be worth a point to it; a receiver elsewhere gives none for that.
    """
    home = {"PATH": os.environ["PATH"], "HOME": str(folder), "LANG": "C.UTF-8"}
    command = [PACKAGES["spamassassin"], "-L", "-x", "--cf=use_bayes 0", "--cf=score ALL_TRUSTED 0"]
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(*command, stdin=pipe, stdout=pipe, stderr=pipe, env=home)
    judged, _ = await process.communicate(message)
    head = judged.partition(b"\n\n")[0].replace(b"\n\t", b" ").decode()
    [status] = [line for line in head.splitlines() if line.startswith("X-Spam-Status:")]
    score = status.partition("score=")[2].partition(" ")[0]
    return float(score), status.partition("tests=")[2].partition(" autolearn")[0].replace(", ", ",").replace(" ", "")
