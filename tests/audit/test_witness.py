"""Witnesses and time stamps: what they vouch for, and every way in which they must not."""

from __future__ import annotations

import base64
import shutil
import subprocess
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from audit.anchors import AnchorAway, WitnessRefused, anchor_with_timestamp, anchor_with_witness, anchors, post
from audit.checkpoints import sign_checkpoint
from audit.cosignatures import COSIGNATURE, LOG_KEY, NamedKey, NotAKey, cosign, cosigned_at
from audit.database import Database
from audit.entries import Draft
from audit.merkle import leaf_hash, root_of
from audit.payload_keys import Wrapping
from audit.signed_note import SigningKey
from audit.timestamps import TimeStampRefused, read_response, request_for
from audit.trace_log import TraceLog
from audit.witness import Witness, read_request, write_request
from policies.errors import Malformed

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
NAME = "regulator.example/east"


def a_log(database: Database, folder: Path) -> TraceLog:
    """A real log over a real database."""
    return TraceLog(
        database,
        key=SigningKey(bytes(range(32))),
        wrapping=Wrapping(folder / "payload.key"),
        clock=lambda: NOW,
        source="test",
    )


def some(count: int) -> list[Draft]:
    """Drafts of governance acts."""
    return [Draft(kind="health", payload=b"%d" % number) for number in range(count)]


@pytest.fixture
def log(sqlite_database: Database, tmp_path: Path) -> Iterator[TraceLog]:
    """A log with five entries."""
    made = a_log(sqlite_database, tmp_path)
    made.append(some(5))
    yield made
    made.close()


def log_key(log: TraceLog) -> NamedKey:
    """The public key of the log under its name."""
    return NamedKey(log.checkpoint().origin, LOG_KEY, log.key_chain()[-1].public)


WITNESS_KEY = SigningKey(b"w" * 32)
VOUCHES = NamedKey(NAME, COSIGNATURE, WITNESS_KEY.public)


@pytest.fixture
def witness(log: TraceLog, tmp_path: Path) -> Witness:
    """A witness that watches the log."""
    key = log_key(log)
    return Witness(tmp_path / "witness", WITNESS_KEY, NAME, {key.name: key}, lambda: NOW)


@pytest.fixture
def address(witness: Witness) -> Iterator[str]:
    """The witness behind a real HTTP server."""
    with serving(lambda body: _as_http(witness, body)) as url:
        yield url


def _as_http(witness: Witness, body: bytes) -> tuple[int, bytes]:
    answer = witness.add_checkpoint(body)
    return answer.status, answer.body.encode()


class serving:  # noqa: N801 - reads as the statement it begins
    """A real HTTP server on the loopback that answers posts."""

    def __init__(self, answer) -> None:  # type: ignore[no-untyped-def]
        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                status, body = answer(self.rfile.read(int(self.headers["Content-Length"])))
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        self._server = HTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever)

    def __enter__(self) -> str:
        self._thread.start()
        return f"http://127.0.0.1:{self._server.server_port}/add-checkpoint"

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


class TestAnchorWithWitness:
    def test_the_head_is_cosigned_and_kept(self, log: TraceLog, address: str) -> None:
        made = anchor_with_witness(log, address, VOUCHES)
        assert (made.size, made.time, made.who) == (log.checkpoint().size, NOW, NAME)
        assert anchors(log) == (made,)

    def test_both_databases_keep_anchors(self, database: Database, tmp_path: Path) -> None:
        log = a_log(database, tmp_path)
        log.append(some(5))
        key = log_key(log)
        watching = Witness(tmp_path / "witness", WITNESS_KEY, NAME, {key.name: key}, lambda: NOW)
        made = anchor_with_witness(log, "", VOUCHES, lambda _url, body, _kind: _as_http(watching, body))
        log.close()
        assert anchors(log) == (made,)

    def test_a_longer_log_is_cosigned_with_a_proof(self, log: TraceLog, address: str) -> None:
        anchor_with_witness(log, address, VOUCHES)
        log.append(some(9))
        assert [anchor.size for anchor in (*anchors(log), anchor_with_witness(log, address, VOUCHES))] == [5, 14]

    def test_an_answer_that_was_lost_is_asked_for_again(self, log: TraceLog, address: str, witness: Witness) -> None:
        witness.add_checkpoint(write_request(0, [], log.checkpoint().note))
        log.append(some(2))
        assert anchor_with_witness(log, address, VOUCHES).size == 7

    def test_a_witness_that_is_away_is_an_unavailable_part(self, log: TraceLog) -> None:
        with pytest.raises(AnchorAway, match="cannot be reached"):
            anchor_with_witness(log, "http://127.0.0.1:9/add-checkpoint", VOUCHES)

    def test_other_schemes_are_not_spoken(self) -> None:
        with pytest.raises(AnchorAway, match="only http"):
            post("file:///etc/passwd", b"", "text/plain")

    def test_a_strangers_cosignature_is_not_kept(self, log: TraceLog, address: str) -> None:
        stranger = NamedKey(NAME, COSIGNATURE, SigningKey(b"s" * 32).public)
        with pytest.raises(WitnessRefused, match="not its cosignature"):
            anchor_with_witness(log, address, stranger)
        assert anchors(log) == ()

    def test_a_fork_is_refused(self, log: TraceLog, address: str) -> None:
        anchor_with_witness(log, address, VOUCHES)
        leaves = [leaf_hash(b"other %d" % number) for number in range(8)]
        forked = sign_checkpoint(log.checkpoint().origin, 8, root_of(leaves), SigningKey(bytes(range(32))))
        status, said = post(address, write_request(5, [leaves[0]] * 3, forked.note), "text/plain")
        assert status == 422
        assert b"does not begin with the one cosigned before" in said


class TestAddCheckpoint:
    def test_the_same_head_may_be_cosigned_again(self, log: TraceLog, witness: Witness) -> None:
        note = log.checkpoint().note
        assert witness.add_checkpoint(write_request(0, [], note)).status == 200
        assert witness.add_checkpoint(write_request(5, [], note)).status == 200

    def test_another_root_of_the_same_size_is_a_conflict(self, log: TraceLog, witness: Witness) -> None:
        witness.add_checkpoint(write_request(0, [], log.checkpoint().note))
        other = sign_checkpoint(log.checkpoint().origin, 5, b"x" * 32, SigningKey(bytes(range(32))))
        assert witness.add_checkpoint(write_request(5, [], other.note)).status == 409

    def test_a_wrong_start_is_answered_with_the_right_one(self, log: TraceLog, witness: Witness) -> None:
        witness.add_checkpoint(write_request(0, [], log.checkpoint().note))
        answer = witness.add_checkpoint(write_request(3, [], log.checkpoint().note))
        assert (answer.status, answer.body, answer.kind) == (409, "5\n", "text/x.tlog.size")

    def test_a_log_that_is_not_watched_is_unknown(self, witness: Witness) -> None:
        note = sign_checkpoint("another.log", 1, b"r" * 32, SigningKey(bytes(range(32)))).note
        assert witness.add_checkpoint(write_request(0, [], note)).status == 404

    def test_a_head_signed_by_a_stranger_is_forbidden(self, log: TraceLog, witness: Witness) -> None:
        note = sign_checkpoint(log.checkpoint().origin, 5, b"r" * 32, SigningKey(b"s" * 32)).note
        assert witness.add_checkpoint(write_request(0, [], note)).status == 403

    def test_going_back_is_refused(self, log: TraceLog, witness: Witness) -> None:
        early = log.checkpoint().note
        log.append(some(3))
        witness.add_checkpoint(write_request(0, [], log.checkpoint().note))
        assert witness.add_checkpoint(write_request(8, [], early)).status == 400

    def test_what_it_saw_survives_a_restart(self, log: TraceLog, witness: Witness, tmp_path: Path) -> None:
        witness.add_checkpoint(write_request(0, [], log.checkpoint().note))
        key = log_key(log)
        again = Witness(tmp_path / "witness", WITNESS_KEY, NAME, {key.name: key}, lambda: NOW)
        assert again.add_checkpoint(write_request(0, [], log.checkpoint().note)).status == 409

    @pytest.mark.parametrize(
        "body",
        [b"", b"old 1\n", b"old -1\n\nx", b"old 01\n\nx", b"old 1\nnot base64!\n\nx", b"old 1\nAAAA\n\nx", b"\xff\n\n"],
    )
    def test_what_cannot_be_read_is_a_bad_request(self, witness: Witness, body: bytes) -> None:
        assert witness.add_checkpoint(body).status == 400

    def test_too_long_a_proof_is_a_bad_request(self, log: TraceLog, witness: Witness) -> None:
        assert witness.add_checkpoint(write_request(0, [b"n" * 32] * 64, log.checkpoint().note)).status == 400

    def test_requests_read_back_as_written(self, log: TraceLog) -> None:
        head = log.checkpoint()
        asked = read_request(write_request(3, [b"a" * 32, b"b" * 32], head.note))
        assert (asked.old, asked.proof, asked.checkpoint.root) == (3, (b"a" * 32, b"b" * 32), head.root)


class TestNamedKey:
    def test_a_key_reads_back_as_written(self) -> None:
        assert NamedKey.of_text(VOUCHES.text()) == VOUCHES

    def test_the_specifications_own_key_is_read(self) -> None:
        # Figure of Go's note package, from which the signed-note specification comes.
        text = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
        assert NamedKey.of_text(text).text() == text

    @pytest.mark.parametrize("text", ["", "a+b", "a+00000000+AQ==", VOUCHES.text().replace("regulator", "regulatur")])
    def test_anything_else_is_no_key(self, text: str) -> None:
        with pytest.raises(NotAKey, match="is no verifier key"):
            NamedKey.of_text(text)


class TestCosignedAt:
    def test_the_time_is_part_of_what_is_signed(self, log: TraceLog) -> None:
        note = log.checkpoint().note
        line = cosign(note, NAME, WITNESS_KEY, NOW)
        assert cosigned_at(note + line, VOUCHES) == NOW
        later = cosign(note, NAME, WITNESS_KEY, NOW + timedelta(days=1))
        blob, other = (base64.b64decode(text.split(" ")[2]) for text in (line, later))
        spliced = f"— {NAME} {base64.b64encode(other[:12] + blob[12:]).decode()}\n"
        assert cosigned_at(note + spliced, VOUCHES) is None


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A time-stamping authority of OpenSSL with a root of its own."""
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not on this machine, so there is no authority to answer")
    folder = tmp_path_factory.mktemp("tsa")
    (folder / "tsa.cnf").write_text(TSA, encoding="utf-8")
    (folder / "serial").write_text("01\n", encoding="utf-8")

    def run(*words: str) -> None:
        subprocess.run(["openssl", *words], cwd=folder, check=True, capture_output=True)

    new = ["-newkey", "rsa:2048", "-nodes", "-sha256"]
    run("req", "-x509", *new, "-days", "3650", "-subj", "/CN=Test root", "-keyout", "root.key", "-out", "root.pem")
    run("req", *new, "-subj", "/CN=Test authority", "-keyout", "tsa.key", "-out", "tsa.csr")
    run(
        *("x509", "-req", "-in", "tsa.csr", "-CA", "root.pem", "-CAkey", "root.key", "-CAcreateserial", "-sha256"),
        *("-days", "3650", "-extfile", "tsa.cnf", "-extensions", "tsa", "-out", "tsa.pem"),
    )
    return folder


TSA = """
[tsa]
extendedKeyUsage = critical,timeStamping
[ts]
default_tsa = this
[this]
serial = serial
signer_cert = tsa.pem
signer_key = tsa.key
signer_digest = sha256
default_policy = 1.2.3.4.1
digests = sha256, sha512
ess_cert_id_chain = no
ess_cert_id_alg = sha256
"""


def stamped(folder: Path, query: bytes) -> bytes:
    """What the authority answers."""
    (folder / "query.tsq").write_bytes(query)
    words = ["ts", "-reply", "-config", "tsa.cnf", "-section", "this", "-queryfile", "query.tsq", "-out", "answer.tsr"]
    subprocess.run(["openssl", *words], cwd=folder, check=True, capture_output=True)
    return (folder / "answer.tsr").read_bytes()


class TestAnchorWithTimestamp:
    def test_the_head_is_dated_and_kept(self, log: TraceLog, authority: Path) -> None:
        root = (authority / "root.pem").read_bytes()
        with serving(lambda body: (200, stamped(authority, body))) as url:
            made = anchor_with_timestamp(log, url, root)
        assert made.kind == "rfc3161"
        assert made.size == log.checkpoint().size
        assert abs((made.time - datetime.now(UTC)).total_seconds()) < 300  # noqa: TID251 - the authority's own clock
        assert anchors(log) == (made,)

    def test_a_stamp_of_something_else_is_refused(self, authority: Path) -> None:
        root = (authority / "root.pem").read_bytes()
        mine, other = request_for(b"mine"), request_for(b"other")
        with pytest.raises(TimeStampRefused, match="does not hold"):
            read_response(stamped(authority, other.der), mine, root)

    def test_an_old_answer_played_again_is_refused(self, authority: Path) -> None:
        root = (authority / "root.pem").read_bytes()
        first, again = request_for(b"same"), request_for(b"same")
        with pytest.raises(TimeStampRefused, match="does not hold"):
            read_response(stamped(authority, first.der), again, root)

    def test_an_authority_nobody_trusts_is_refused(self, authority: Path, tmp_path: Path) -> None:
        words = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=Other", "-keyout", "k", "-out", "o.pem"]
        subprocess.run(["openssl", *words], cwd=tmp_path, check=True, capture_output=True)
        asked = request_for(b"mine")
        with pytest.raises(TimeStampRefused, match="does not hold"):
            read_response(stamped(authority, asked.der), asked, (tmp_path / "o.pem").read_bytes())

    @pytest.mark.parametrize("answer", [b"", b"<html>", b"\x30\x03\x02\x01\x00"])
    def test_an_answer_that_is_no_stamp_is_refused(self, authority: Path, answer: bytes) -> None:
        root = (authority / "root.pem").read_bytes()
        with pytest.raises(TimeStampRefused, match="does not hold"):
            read_response(answer, request_for(b"mine"), root)

    def test_without_a_root_nothing_can_be_trusted(self) -> None:
        with pytest.raises(Malformed, match="no self-signed certificate"):
            read_response(b"", request_for(b"mine"), b"no pem")
