"""A reason that others can follow: no act of governance goes without one."""

from __future__ import annotations

from policies.errors import Malformed, Sentence


def require_reason(reason: str) -> str:
    """Return a reason without the space around it. Raises Malformed for one that others cannot follow or read."""
    if len(reason.strip()) < 3:
        raise Malformed(
            Sentence(
                en="a verdict needs a reason that others can follow; found an empty one",
                zh="裁定必须写明他人可以理解的理由，当前为空",
            )
        )
    if not reason.replace("\n", " ").replace("\t", " ").isprintable():
        raise Malformed(
            Sentence(
                en="the reason holds characters that cannot be shown; write it in plain text",
                zh="理由中含有无法显示的字符，请使用纯文本",
            )
        )
    return reason.strip()
