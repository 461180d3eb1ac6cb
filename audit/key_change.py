"""Changing the signing key of a running log: the old key's last act is to name the new one."""

from __future__ import annotations

from audit.entries import Receipt
from audit.key_chain import key_of_chain, make_next_key
from audit.trace_log import TraceLog
from policies.errors import Conflict, Sentence


class KeyHasNoFile(Conflict):
    """The log signs with a key that was handed over in memory, so there is no place to keep the next."""

    def __init__(self) -> None:
        super().__init__(
            Sentence(
                en="the log's signing key has no file; open the log with `open_log` to change its key",
                zh="日志的签名密钥没有文件；请用 open_log 打开日志后再更换密钥",
            )
        )


def change_signing_key(log: TraceLog, actor: str) -> Receipt:
    """Sign what is there with the old key, hand over, and sign again with the new one.

    Every bundle made from now on carries the chain, so who trusts the first key can follow it. Other processes
    take the new key from its file at their next checkpoint.

    Raises
    ------
    KeyHasNoFile
    """
    file = log.key_file
    if file is None:
        raise KeyHasNoFile
    log.checkpoint()
    receipt = log.change_key(make_next_key(file), actor)
    log.take_key(key_of_chain(file, log.key_chain()[-1].public))
    log.checkpoint()
    return receipt
