"""A stranger's check: published Ed25519 vectors, each step that can fail, and agreement with a second verifier."""

from __future__ import annotations

import ast
import copy
import json
import subprocess
import sys
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from hypothesis import given
from hypothesis import strategies as st

import audit.verify
from api.migrations import upgrade
from audit.database import open_database
from audit.entries import Draft
from audit.key_change import change_signing_key
from audit.trace_log import TraceLog, open_log
from audit.verify import ed25519_verifies, verify_bundle
from tests.audit.logs import RULEBOOK, a_decision, a_trace, some_history
from tests.audit.second_verifier import bundle_holds

# RFC 8032, 7.1: TEST 1, TEST 2, TEST 3.
VECTORS = [
    (
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
        "",
        "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24"
        "655141438e7a100b",
    ),
    (
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
        "72",
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aee"
        "b00d291612bb0c00",
    ),
    (
        "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
        "af82",
        "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28d"
        "c027beceea1ec40a",
    ),
]


NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)

EMPTY_ENTRY = dict.fromkeys(audit.verify.ENTRY) | {"index": 0, "header": "", "erased": False, "inclusion": []}
SAMPLE = dict.fromkeys(audit.verify.TOP, "") | {"format": 1, "entry": EMPTY_ENTRY, "statements": [], "keys": []}


class TestEd25519:
    @pytest.mark.parametrize(("public", "message", "signature"), VECTORS)
    def test_vectors_of_rfc_8032(self, public: str, message: str, signature: str) -> None:
        assert ed25519_verifies(bytes.fromhex(public), bytes.fromhex(message), bytes.fromhex(signature))

    @pytest.mark.parametrize(("public", "message", "signature"), VECTORS)
    def test_another_message_is_not_signed(self, public: str, message: str, signature: str) -> None:
        assert not ed25519_verifies(bytes.fromhex(public), bytes.fromhex(message) + b"!", bytes.fromhex(signature))

    @given(st.binary(min_size=32, max_size=32), st.binary(max_size=100), st.integers(0, 511), st.booleans())
    def test_agrees_with_cryptography(self, secret: bytes, message: bytes, bit: int, spoil: bool) -> None:
        key = Ed25519PrivateKey.from_private_bytes(secret)
        public, signature = key.public_key(), bytearray(key.sign(message))
        if spoil:
            signature[bit // 8] ^= 1 << bit % 8
        try:
            public.verify(bytes(signature), message)
            holds = True
        except InvalidSignature:
            holds = False
        assert ed25519_verifies(public.public_bytes_raw(), message, bytes(signature)) is holds is not spoil

    @given(st.binary(min_size=32, max_size=32), st.binary(min_size=64, max_size=64))
    def test_agrees_with_cryptography_on_rubbish(self, public: bytes, signature: bytes) -> None:
        try:
            Ed25519PublicKey.from_public_bytes(public).verify(signature, b"")
            holds = True
        except (InvalidSignature, ValueError):
            holds = False
        assert ed25519_verifies(public, b"", signature) is holds

    def test_a_scalar_that_is_not_reduced_is_refused(self) -> None:
        key = Ed25519PrivateKey.from_private_bytes(bytes(32))
        signature = key.sign(b"m")
        order = 2**252 + 27742317777372353535851937790883648493
        larger = (int.from_bytes(signature[32:], "little") + order).to_bytes(32, "little")
        assert not ed25519_verifies(key.public_key().public_bytes_raw(), b"m", signature[:32] + larger)


@pytest.fixture
def bundle(sqlite_log: TraceLog) -> dict[str, Any]:
    """A decision with a review of it and an appeal against the review, within a longer log."""
    some_history(sqlite_log, seed=1, size=20)
    decision = sqlite_log.append([a_decision()])[0]
    review = sqlite_log.append([a_statement("review", decision.id)])[0]
    sqlite_log.append([a_statement("appeal", review.id)])
    return travelled(sqlite_log.evidence(decision.id))


def a_statement(kind: str, about: str) -> Draft:
    return Draft(kind=kind, payload="不同意".encode(), about=about, actor="reviewer")


def travelled(bundle: dict[str, Any]) -> dict[str, Any]:
    """The bundle as it comes out of its file."""
    read: dict[str, Any] = json.loads(json.dumps(bundle))
    return read


class TestHolds:
    def test_every_step_holds(self, bundle: dict[str, Any]) -> None:
        outcome = verify_bundle(bundle, bundle["fingerprint"])
        assert outcome.holds and [step.number for step in outcome.steps] == list(range(1, 10))

    def test_it_tells_what_is_proven(self, bundle: dict[str, Any]) -> None:
        facts = verify_bundle(bundle).facts
        assert facts["answer"] == {"score": 0.798, "verdict": True, "actor": "scada", "subject": "p-17"}
        assert facts["trace"]["contributions"] == [1.0, 0.5, 0.125]
        assert facts["trace"]["feature_names"] == ["pressure", "温度", "age"]
        assert [statement["kind"] for statement in facts["statements"]] == ["review", "appeal"]

    def test_every_sentence_is_there_twice(self, bundle: dict[str, Any]) -> None:
        for step in verify_bundle(bundle).steps:
            assert step.says["en"] and any("\u4e00" <= letter <= "\u9fff" for letter in step.says["zh"])

    def test_with_the_rulebook(self, sqlite_log: TraceLog) -> None:
        text = b"[caps]\nage = 0.1\n"
        trace = a_trace(rulebook_digest=sha256(text).hexdigest())
        kept = sqlite_log.append([a_decision(trace)])[0]
        made = travelled(sqlite_log.evidence(kept.id, rulebook=text))
        assert verify_bundle(made).holds and bundle_holds(made)
        made["rulebook"] += " "
        assert verify_bundle(made).failed == (8,) and not bundle_holds(made)

    def test_after_the_key_changed(self, sqlite_log: TraceLog) -> None:
        kept = sqlite_log.append([a_decision()])[0]
        first = sqlite_log.evidence(kept.id)["fingerprint"]
        change_signing_key(sqlite_log, "admin")
        made = travelled(sqlite_log.evidence(kept.id))
        assert len(made["keys"]) == 2 and made["fingerprint"] != first
        assert verify_bundle(made, first).holds and bundle_holds(made, first)

    @pytest.mark.parametrize("seed", range(8))
    def test_both_verifiers_agree_on_random_logs(self, seed: int, sqlite_log: TraceLog) -> None:
        for receipt in some_history(sqlite_log, seed, size=10 + 7 * seed)[::3]:
            made = travelled(sqlite_log.evidence(receipt.id))
            assert verify_bundle(made, made["fingerprint"]).holds
            assert bundle_holds(made, made["fingerprint"])


class TestFails:
    @pytest.mark.parametrize(
        ("path", "value", "step", "sentence"),
        [
            (("format",), 2, 1, "format 2 is unknown here"),
            (("statements", 0, "salt"), ..., 1, "an entry lacks salt"),
            (("extra",), 1, 1, "the bundle has unknown extra"),
            (("origin",), "mingjing.log/0", 2, "the log's name does not come from its first key"),
            (("fingerprint",), "00", 2, "the fingerprint is not that of the newest key"),
            (("keys", 0, "fingerprint"), "00", 2, "a fingerprint is not its key's"),
            (("checkpoint",), "x", 4, "the checkpoint is not a signed note"),
            (("entry", "index"), 0, 5, "entry 0 does not lead to the signed root"),
            (("entry", "salt"), "00" * 32, 6, "payload, details or salt of entry"),
            (("entry", "payload"), "AAAA", 6, "payload, details or salt of entry"),
            (("entry", "erased"), True, 6, "an erased entry still carries content"),
            (("entry", "layout"), "{}", 7, "the layout is not the one the decision was written with"),
            (("entry", "layout"), None, 7, "the layout by which the decision is read was withheld"),
            (("artifact_digest",), RULEBOOK, 8, "'artifact_digest' is not what the header names"),
            (("statements", 1, "payload"), "AAAA", 9, "payload, details or salt of entry"),
        ],
    )
    def test_it_says_which_step(
        self, bundle: dict[str, Any], path: tuple[Any, ...], value: object, step: int, sentence: str
    ) -> None:
        changed(bundle, path, value)
        failed = [one for one in verify_bundle(bundle).steps if not one.holds]
        assert failed[0].number == step
        assert failed[0].says["en"].startswith(sentence)

    def test_a_header_with_another_score_date(self, bundle: dict[str, Any]) -> None:
        bundle["entry"]["header"] = bundle["entry"]["header"].replace('"time":"2026', '"time":"2025')
        assert verify_bundle(bundle).failed == (5,)

    def test_a_missing_statement_in_between(self, bundle: dict[str, Any]) -> None:
        del bundle["statements"][0]
        assert verify_bundle(bundle).failed == (9,)

    def test_a_replaced_key_is_seen_by_who_knows_the_true_one(self, bundle: dict[str, Any], tmp_path: Path) -> None:
        upgrade(f"sqlite:///{tmp_path / 'forged.db'}")
        forged_log = open_log(
            tmp_path / "forger", open_database(f"sqlite:///{tmp_path / 'forged.db'}"), lambda: NOON, "s", tend=False
        )
        kept = forged_log.append([a_decision(score=0.1, verdict=False, payload=b"all is well")])[0]
        forged = travelled(forged_log.evidence(kept.id))
        forged_log.close()
        forged_log.database.close()
        assert verify_bundle(forged).holds
        assert verify_bundle(forged, bundle["fingerprint"]).failed == (3,)
        assert not bundle_holds(forged, bundle["fingerprint"])

    @pytest.mark.parametrize("rubbish", [None, [], {}, {"format": True}, 7, "x", {"format": 1}])
    def test_rubbish_is_answered_not_raised(self, rubbish: object) -> None:
        assert not verify_bundle(rubbish).holds

    @given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(), lambda inner: st.lists(inner)))
    def test_rubbish_in_a_field_is_answered_not_raised(self, rubbish: object) -> None:
        for field in SAMPLE:
            assert not verify_bundle({**SAMPLE, field: rubbish}).holds


class TestStandsAlone:
    def test_it_imports_the_standard_library_only(self) -> None:
        tree = ast.parse(Path(audit.verify.__file__).read_text(encoding="utf-8"))
        names = {
            name.split(".")[0]
            for node in ast.walk(tree)
            for name in (
                [alias.name for alias in node.names]
                if isinstance(node, ast.Import)
                else [node.module or ""]
                if isinstance(node, ast.ImportFrom)
                else []
            )
        }
        assert names <= set(sys.stdlib_module_names)

    def test_a_copy_runs_without_us(self, bundle: dict[str, Any], tmp_path: Path) -> None:
        copied = tmp_path / "verify.py"
        copied.write_text(Path(audit.verify.__file__).read_text(encoding="utf-8"), encoding="utf-8")
        file = tmp_path / "bundle.json"
        file.write_text(json.dumps(bundle), encoding="utf-8")
        run = subprocess.run(
            [sys.executable, "-I", str(copied), str(file), bundle["fingerprint"]],
            capture_output=True,
            encoding="utf-8",
            env={"PYTHONIOENCODING": "utf-8"},
            check=False,
        )
        assert run.returncode == 0 and run.stdout.endswith("the evidence holds\n")
        bundle["entry"]["salt"] = "00" * 32
        file.write_text(json.dumps(bundle), encoding="utf-8")
        run = subprocess.run(
            [sys.executable, "-I", str(copied), str(file)], capture_output=True, text=True, check=False
        )
        assert run.returncode == 1 and "6. FAILS" in run.stdout


def changed(value: Any, path: tuple[Any, ...], to: object) -> None:
    """Set (or with ..., delete) what lies at `path`."""
    for step in path[:-1]:
        value = value[step]
    if to is ...:
        del value[path[-1]]
    else:
        value[path[-1]] = copy.deepcopy(to)
