"""Checks an evidence bundle without us: this one file, the standard library, no database, no network.

Copy it anywhere and run `python verify.py BUNDLE.json [FINGERPRINT]`. FINGERPRINT is the SHA-256 of the log's signing
key, got from somewhere else than the bundle (a printed report, the regulator, a witness); without it the bundle is
only shown to agree with itself.

A bundle holds if
  1. it is complete and of a format known here,
  2. the log's name comes from its first key, and every later key was endorsed by the one before it,
  3. one of these keys is the one you trust (only when you name one),
  4. one of these keys signed the checkpoint,
  5. the entry's header leads through its proof to the checkpoint's root,
  6. salt, details and payload give the commitment in the header, or the entry says it was erased,
  7. the payload of a decision can be read, and its answer is the one in the details,
  8. model and rulebook are those the header names,
  9. every statement that came along is about this entry, or about another statement, and passes 5, 6 and 7.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import struct
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FORMATS = (1,)
"""Bundle formats this program reads. Every format ever written stays here, with its reader."""

TOP = {
    *("format", "origin", "id", "artifact_digest", "rulebook_digest", "rulebook"),
    *("entry", "statements", "checkpoint", "keys", "fingerprint"),
}
ENTRY = {"index", "header", "erased", "details", "salt", "payload", "layout", "inclusion"}
KEY = {"public", "fingerprint", "endorsement"}
HEADER = {
    *("about", "artifact", "commitment", "counter", "flags", "format", "id", "kind", "model"),
    *("rulebook", "site", "source", "time", "version"),
}
COMMITMENT_DOMAIN = b"mingjing sealed record 1\x00"
ENDORSEMENT_DOMAIN = b"mingjing next signing key 1\x00"
MOST_STATEMENTS = 10_000


@dataclass(frozen=True)
class Step:
    """One step of the check: its number, whether it holds, and a sentence in English and Chinese."""

    number: int
    holds: bool
    says: dict[str, str]


@dataclass(frozen=True)
class Verified:
    """The outcome: it holds when every step does. `facts` is what the bundle proves, in words and numbers."""

    holds: bool
    steps: tuple[Step, ...]
    facts: dict[str, Any]

    @property
    def failed(self) -> tuple[int, ...]:
        """Numbers of the steps that do not hold."""
        return tuple(step.number for step in self.steps if not step.holds)


class Wrong(Exception):
    """A step does not hold, for the reason in its two sentences."""

    def __init__(self, en: str, zh: str) -> None:
        super().__init__(en)
        self.says = {"en": en, "zh": zh}


def verify_bundle(bundle: Any, fingerprint: str | None = None) -> Verified:
    """Check a bundle step by step; whatever is in it, this returns and never raises.

    Parameters
    ----------
    bundle : dict
        As read from its JSON file.
    fingerprint : str, optional
        SHA-256 in hex of the public key that is trusted from elsewhere.

    Returns
    -------
    Verified
        All steps up to the first that makes the rest meaningless, each with its sentence.
    """
    case = _Case(bundle, fingerprint)
    steps: list[Step] = []
    for number, check in enumerate(case.checks(), 1):
        step = _taken(number, check)
        steps.append(step)
        if not step.holds and number in (1, 2):
            break
    return Verified(all(step.holds for step in steps), tuple(steps), case.facts)


def _taken(number: int, check: Callable[[], tuple[str, str]]) -> Step:
    try:
        en, zh = check()
    except Wrong as wrong:
        return Step(number, False, wrong.says)
    except (KeyError, IndexError, TypeError, ValueError, AttributeError, struct.error, RecursionError, OverflowError):
        return Step(number, False, {"en": "what it needs cannot be read", "zh": "所需内容无法读取"})
    return Step(number, True, {"en": en, "zh": zh})


class _Case:
    def __init__(self, bundle: Any, fingerprint: str | None) -> None:
        self.bundle = bundle
        self.trusted = fingerprint
        self.keys: list[bytes] = []
        self.size = 0
        self.root = b""
        self.facts: dict[str, Any] = {}

    def checks(self) -> tuple[Callable[[], tuple[str, str]], ...]:
        return (
            self.complete,
            self.key_chain,
            self.trusted_key,
            self.signed,
            self.included,
            self.committed,
            self.readable,
            self.named,
            self.statements,
        )

    def complete(self) -> tuple[str, str]:  # (1)
        bundle = self.bundle
        if not isinstance(bundle, dict):
            raise Wrong("this is no evidence bundle", "这不是证据包")
        if type(bundle.get("format")) is not int or bundle["format"] not in FORMATS:
            raise Wrong(f"format {bundle.get('format')!r} is unknown here", f"不支持的格式 {bundle.get('format')!r}")
        _fields(bundle, TOP, "the bundle", "证据包")
        for name in ("origin", "id", "checkpoint", "fingerprint"):
            _insist(type(bundle[name]) is str, f"'{name}' is no text", f"“{name}”不是文本")
        for name in ("statements", "keys"):
            _insist(type(bundle[name]) is list, f"'{name}' is no list", f"“{name}”不是列表")
        _insist(len(bundle["statements"]) <= MOST_STATEMENTS, "too many statements", "陈述过多")
        for entry in (bundle["entry"], *bundle["statements"]):
            _well_formed_entry(entry)
        for key in bundle["keys"]:
            _fields(key, KEY, "a key", "密钥")
        return "the bundle is complete and of a known format", "证据包完整，格式可识别"

    def key_chain(self) -> tuple[str, str]:  # (2)
        keys = self.bundle["keys"]
        _insist(len(keys) > 0, "there is no key", "没有密钥")
        for place, key in enumerate(keys):
            public = _hex(key["public"], 32)
            _insist(key["fingerprint"] == _sha(public), "a fingerprint is not its key's", "指纹与密钥不符")
            if place == 0:
                _insist(key["endorsement"] is None, "the first key has an endorsement", "首个密钥不应有背书")
            else:
                word = ENDORSEMENT_DOMAIN + self.keys[-1] + public
                _insist(
                    ed25519_verifies(self.keys[-1], word, _hex(key["endorsement"], 64)),
                    f"key {place + 1} was not endorsed by the key before it",
                    f"第 {place + 1} 个密钥未获前一密钥背书",
                )
            self.keys.append(public)
        _insist(
            self.bundle["origin"] == f"mingjing.log/{_sha(self.keys[0])[:16]}",
            "the log's name does not come from its first key",
            "日志名称与其首个密钥不符",
        )
        _insist(
            self.bundle["fingerprint"] == _sha(self.keys[-1]),
            "the fingerprint is not that of the newest key",
            "指纹不是最新密钥的指纹",
        )
        return f"{len(keys)} signing key(s), each endorsed by the one before", f"共 {len(keys)} 个签名密钥，逐一背书"

    def trusted_key(self) -> tuple[str, str]:  # (3)
        found = _sha(self.keys[0])
        if self.trusted is None:
            return (
                f"no key was named to compare with; the log began with {found}",
                f"未指定用于比对的密钥；该日志的首个密钥为 {found}",
            )
        known = [_sha(key) for key in self.keys]
        _insist(
            self.trusted.lower() in known,
            f"the key you trust is not among the log's; it began with {found}",
            f"您信任的密钥不在该日志之中；该日志的首个密钥为 {found}",
        )
        return "the key you trust is a key of this log", "您信任的密钥属于该日志"

    def signed(self) -> tuple[str, str]:  # (4)
        text, separator, tail = self.bundle["checkpoint"].rpartition("\n\n")
        _insist(bool(separator) and tail.endswith("\n"), "the checkpoint is not a signed note", "检查点不是签名便笺")
        text += "\n"
        lines = text.split("\n")
        _insist(lines[0] == self.bundle["origin"], "the checkpoint is of another log", "检查点属于另一日志")
        _insist(re.fullmatch("0|[1-9][0-9]{0,17}", lines[1]) is not None, "no size of a tree", "没有树的大小")
        self.size, self.root = int(lines[1]), _base64(lines[2], 32)
        _insist(len(lines) == 4, "the checkpoint says more than it should", "检查点内容多于应有")
        signer = self._signer(text, tail[:-1].split("\n"))
        self.facts["log"] = {"origin": lines[0], "size": self.size, "root": self.root.hex(), "signed_by": signer}
        return (
            f"the head of {self.size} entries is signed by key {signer[:16]}",
            f"含 {self.size} 条的日志头由密钥 {signer[:16]} 签名",
        )

    def _signer(self, text: str, lines: list[str]) -> str:
        origin = self.bundle["origin"]
        signer = None
        for line in lines:
            dash, name, blob = line.split(" ")
            _insist(dash == "\u2014", "a signature line is malformed", "签名行格式有误")
            signature = _base64(blob)
            for key in self.keys if name == origin else ():
                hint = hashlib.sha256(origin.encode() + b"\n\x01" + key).digest()[:4]
                if signature[:4] == hint and ed25519_verifies(key, text.encode(), signature[4:]):
                    signer = _sha(key)
        if signer is None:
            raise Wrong("no key of this log signed the checkpoint", "检查点未由该日志的任何密钥签名")
        return signer

    def included(self) -> tuple[str, str]:  # (5)
        header = self._proven(self.bundle["entry"])
        _insist(header["id"] == self.bundle["id"], "the entry is not the one named", "条目与所指编号不符")
        self.facts["entry"] = header
        return (
            f"entry {self.bundle['entry']['index']} of {header['time']} is in the signed log",
            f"{header['time']} 的条目（第 {self.bundle['entry']['index']} 号）确在已签名的日志中",
        )

    def _proven(self, entry: dict[str, Any]) -> dict[str, Any]:
        header = _header(entry["header"])
        leaf = hashlib.sha256(b"\x00" + entry["header"].encode()).digest()
        path = [_hex(step, 32) for step in entry["inclusion"]]
        _insist(self.size > 0, "there is no checkpoint to lead to", "没有可供比对的检查点")
        _insist(
            root_of_path(entry["index"], self.size, leaf, path) == self.root,
            f"entry {entry['index']} does not lead to the signed root: it was changed, or it is not in this log",
            f"第 {entry['index']} 号条目推不出已签名的根哈希：条目被改动，或不在该日志中",
        )
        return header

    def committed(self) -> tuple[str, str]:  # (6)
        return _committed(self.bundle["entry"])

    def readable(self) -> tuple[str, str]:  # (7)
        said, facts = _readable(self.bundle["entry"])
        self.facts.update(facts)
        return said

    def named(self) -> tuple[str, str]:  # (8)
        header = _header(self.bundle["entry"]["header"])
        for name, field in (("artifact_digest", "artifact"), ("rulebook_digest", "rulebook")):
            _insist(
                self.bundle[name] == header.get(field),
                f"'{name}' is not what the header names",
                f"“{name}”与条目头所载不符",
            )
        rulebook = self.bundle["rulebook"]
        if rulebook is None:
            return "model and rulebook are those of the header", "模型与规则与条目头一致"
        _insist(
            _sha(rulebook.encode()) == header.get("rulebook"),
            "the rulebook that came along is another one",
            "附带的规则文本不是当时生效的规则",
        )
        return (
            "model and rulebook are those of the header, and the rulebook's text is the one in force",
            "模型与规则与条目头一致，附带的规则文本即当时生效的规则",
        )

    def statements(self) -> tuple[str, str]:  # (9)
        known = {self.bundle["id"]}
        kinds = []
        for entry in self.bundle["statements"]:
            header = self._proven(entry)
            _committed(entry)
            _readable(entry)
            _insist(
                header.get("about") in known,
                f"statement {header['id']} is about something else",
                f"陈述 {header['id']} 所指的并非本条目",
            )
            _insist(header["id"] not in known, f"statement {header['id']} came twice", f"陈述 {header['id']} 重复出现")
            known.add(header["id"])
            kinds.append({"kind": header["kind"], "id": header["id"], "time": header["time"]})
        self.facts["statements"] = kinds
        count = len(kinds)
        return f"{count} statement(s) came along, all in the signed log", f"附有 {count} 条陈述，均在已签名的日志中"


def _well_formed_entry(entry: Any) -> None:
    _fields(entry, ENTRY, "an entry", "条目")
    _insist(type(entry["index"]) is int, "'index' is no number", "“index”不是整数")
    _insist(type(entry["header"]) is str, "'header' is no text", "“header”不是文本")
    _insist(type(entry["erased"]) is bool, "'erased' is neither true nor false", "“erased”应为真或假")
    _insist(type(entry["inclusion"]) is list, "'inclusion' is no list", "“inclusion”不是列表")


def _header(text: str) -> dict[str, Any]:
    header = json.loads(text, object_pairs_hook=_once)
    _insist(type(header) is dict and set(header) <= HEADER, "the header has foreign fields", "条目头含未知字段")
    _insist(header["format"] == 1, "the header is of an unknown format", "条目头格式未知")
    form = json.dumps(header, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    _insist(form == text, "the header is not in its one canonical form", "条目头不是规范形式")
    return dict(header)


def _committed(entry: dict[str, Any]) -> tuple[str, str]:
    header = _header(entry["header"])
    held = (entry["details"], entry["salt"], entry["payload"])
    if entry["erased"]:
        _insist(held == (None, None, None), "an erased entry still carries content", "已删除的条目仍带有内容")
        return (
            "the content was erased; the header proves that and when the entry was made",
            "内容已依规删除；条目头仍可证明该条目存在及其时间",
        )
    sealed = COMMITMENT_DOMAIN + _hex(entry["salt"], 32) + entry["details"].encode() + b"\n" + _base64(entry["payload"])
    _insist(
        _sha(sealed) == header["commitment"],
        f"payload, details or salt of entry {entry['index']} were changed",
        f"第 {entry['index']} 号条目的载荷、明细或盐值被改动",
    )
    return "payload and details are what was sealed", "载荷与明细与封存时一致"


def _readable(entry: dict[str, Any]) -> tuple[tuple[str, str], dict[str, Any]]:
    header = _header(entry["header"])
    if entry["erased"]:
        _insist(entry["layout"] is None, "an erased entry still carries a layout", "已删除的条目仍带有布局")
        return ("nothing is left to read", "没有可读取的内容"), {}
    details = json.loads(entry["details"], object_pairs_hook=_once)
    score = None if details["score"] is None else struct.unpack(">d", _hex(details["score"], 8))[0]
    answer = {"score": score, "verdict": details["verdict"], "actor": details["actor"], "subject": details["subject"]}
    if entry["layout"] is None:
        raw = _base64(entry["payload"])
        _insist(
            header["kind"] != "decision" or raw[:1] != b"\x01" or len(raw) < 33,
            "the layout by which the decision is read was withheld",
            "缺少读取该决策所需的布局",
        )
        return ("the payload is a statement in its own words", "载荷为自述内容"), {"answer": answer}
    _insist(header["kind"] == "decision", "a statement carries a layout", "陈述带有布局")
    trace = read_trace(_base64(entry["payload"]), entry["layout"])
    _insist(
        trace["verdict"] == details["verdict"], "trace and details give different answers", "留痕与明细的结论不一致"
    )
    _insist(
        score is None or score in (trace["score"], trace.get("capped_score")),
        "trace and details give different scores",
        "留痕与明细的分值不一致",
    )
    return ("the decision can be read, and its answer is the one sealed", "决策内容可读，结论与封存一致"), {
        "answer": answer,
        "trace": trace,
    }


def read_trace(payload: bytes, layout: str) -> dict[str, Any]:
    """Return the numbers and names of a sealed decision (payload format 1)."""
    _insist(payload[:1] == b"\x01", "the payload's format is unknown", "载荷格式未知")
    _insist(
        payload[1:33] == hashlib.sha256(layout.encode()).digest(),
        "the layout is not the one the decision was written with",
        "布局不是写入该决策时所用的布局",
    )
    shape = json.loads(layout)
    place, read = 33, {}
    for name in shape["scalars"]:
        read[name], place = struct.unpack_from("<d", payload, place)[0], place + 8
    for name, kind, length in shape["arrays"]:
        read[name] = list(struct.unpack_from(f"<{length}{'f' if kind == 'f4' else 'd'}", payload, place))
        place += length * int(kind[1])
    names = {name: shape[name] for name in ("feature_names", "cap_names", "unit", "method", "purpose", "protective")}
    return {**names, **read, **json.loads(payload[place:])}


def root_of_path(index: int, size: int, leaf: bytes, path: list[bytes]) -> bytes | None:
    """Return the root an inclusion proof leads to (RFC 9162, 2.1.3.2); None when it leads nowhere."""
    if not 0 <= index < size:
        return None
    place, last, top = index, size - 1, leaf
    for step in path:
        if last == 0:
            return None
        if place % 2 or place == last:
            top = hashlib.sha256(b"\x01" + step + top).digest()
            while place % 2 == 0 and place:
                place, last = place // 2, last // 2
        else:
            top = hashlib.sha256(b"\x01" + top + step).digest()
        place, last = place // 2, last // 2
    return top if last == 0 else None


# --- Ed25519 (RFC 8032), verification only: nothing secret passes through here, so time may depend on the data --------

_P = 2**255 - 19
_L = 2**252 + 27742317777372353535851937790883648493
_D = -121665 * pow(121666, _P - 2, _P) % _P
_ROOT = pow(2, (_P - 1) // 4, _P)
_Point = tuple[int, int, int, int]


def ed25519_verifies(public: bytes, message: bytes, signature: bytes) -> bool:
    """Return whether `signature` over `message` was made with the key whose public half is `public`.

    Strict: the scalar must be reduced, points in their one encoding, and the equation holds without cofactor.
    """
    if len(public) != 32 or len(signature) != 64:
        return False
    key, scalar = _decoded(public), int.from_bytes(signature[32:], "little")
    if key is None or scalar >= _L:
        return False
    challenge = int.from_bytes(hashlib.sha512(signature[:32] + public + message).digest(), "little") % _L
    negative = (_P - key[0], key[1], key[2], _P - key[3])
    return _encoded(_plus(_times(scalar, _BASE), _times(challenge, negative))) == signature[:32]


def _plus(one: _Point, other: _Point) -> _Point:
    a = (one[1] - one[0]) * (other[1] - other[0]) % _P
    b = (one[1] + one[0]) * (other[1] + other[0]) % _P
    c = 2 * one[3] * other[3] * _D % _P
    d = 2 * one[2] * other[2] % _P
    e, f, g, h = b - a, d - c, d + c, b + a
    return e * f % _P, g * h % _P, f * g % _P, e * h % _P


def _times(scalar: int, point: _Point) -> _Point:
    total = (0, 1, 1, 0)
    while scalar:
        if scalar & 1:
            total = _plus(total, point)
        point, scalar = _plus(point, point), scalar >> 1
    return total


def _decoded(raw: bytes) -> _Point | None:
    y = int.from_bytes(raw, "little") & (1 << 255) - 1
    sign = raw[31] >> 7
    if y >= _P:
        return None
    square = (y * y - 1) * pow(_D * y * y + 1, _P - 2, _P) % _P
    x = pow(square, (_P + 3) // 8, _P)
    if (x * x - square) % _P:
        x = x * _ROOT % _P
    if (x * x - square) % _P or (x == 0 and sign):
        return None
    if x & 1 != sign:
        x = _P - x
    return x, y, 1, x * y % _P


def _encoded(point: _Point) -> bytes:
    inverse = pow(point[2], _P - 2, _P)
    x, y = point[0] * inverse % _P, point[1] * inverse % _P
    return (y | (x & 1) << 255).to_bytes(32, "little")


_BASE = _decoded((4 * pow(5, _P - 2, _P) % _P).to_bytes(32, "little")) or (0, 1, 1, 0)


# --- small insistences ----------------------------------------------------------------------------------------------


def _insist(holds: bool, en: str, zh: str) -> None:
    if not holds:
        raise Wrong(en, zh)


def _fields(value: Any, names: set[str], what: str, what_zh: str) -> None:
    _insist(type(value) is dict, f"{what} is no object", f"{what_zh}不是对象")
    missing, foreign = sorted(names - set(value)), sorted(map(str, set(value) - names))
    _insist(not missing, f"{what} lacks {', '.join(missing)}", f"{what_zh}缺少 {', '.join(missing)}")
    _insist(not foreign, f"{what} has unknown {', '.join(foreign)}", f"{what_zh}含未知字段 {', '.join(foreign)}")


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    named = dict(pairs)
    _insist(len(named) == len(pairs), "a field stands twice", "字段重复")
    return named


def _hex(text: str, length: int) -> bytes:
    _insist(
        type(text) is str and re.fullmatch(f"[0-9a-f]{{{2 * length}}}", text) is not None,
        f"expected {length} bytes in lower-case hex",
        f"应为 {length} 字节的小写十六进制",
    )
    return bytes.fromhex(text)


def _base64(text: str, length: int | None = None) -> bytes:
    raw = base64.b64decode(text, validate=True)
    _insist(
        base64.b64encode(raw).decode() == text and length in (None, len(raw)),
        "base64 is not in its one form or of another length",
        "base64 形式不规范或长度不符",
    )
    return raw


def _sha(raw: bytes) -> str:
    return hashlib.sha256(raw).hexdigest()


def main(words: list[str]) -> int:
    """Check the bundle named on the command line; 0 it holds, 1 it does not, 2 it cannot be read."""
    try:
        bundle = json.loads(Path(words[0]).read_text(encoding="utf-8"), object_pairs_hook=_once)
    except (IndexError, OSError, ValueError, RecursionError, Wrong):
        sys.stderr.write("usage: verify.py BUNDLE.json [FINGERPRINT]; no bundle could be read\n")
        return 2
    outcome = verify_bundle(bundle, words[1] if len(words) > 1 else None)
    for step in outcome.steps:
        mark = "holds" if step.holds else "FAILS"
        sys.stdout.write(f"{step.number}. {mark}: {step.says['en']} / {step.says['zh']}\n")
    sys.stdout.write("the evidence holds\n" if outcome.holds else "the evidence does NOT hold\n")
    return 0 if outcome.holds else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
