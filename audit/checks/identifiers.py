"""Finding what names a person in text: cards, phones, plates, mail addresses and names, by their own rules."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

import pandas as pd

from policies.errors import Sentence

ID_CARD = re.compile(
    r"(?<![0-9A-Za-z])[1-9]\d{5}(?:18|19|20)\d{2}(?:0[1-9]|1[0-2])(?:[0-2]\d|3[01])\d{3}[0-9Xx](?![0-9A-Za-z])"
)
PHONE = re.compile(r"(?<!\d)(?:\+?86[- ]?)?1[3-9]\d{9}(?!\d)")
PHONE_EN = re.compile(r"(?<![\d-])(?:\+1[ -]?)?(?:\(\d{3}\) ?|\d{3}[-.])\d{3}[-.]\d{4}(?![\d-])")
SOCIAL_SECURITY = re.compile(r"(?<![\d-])(?!000|666|9)\d{3}-(?!00)\d{2}-(?!0000)\d{4}(?![\d-])")
BANK_CARD = re.compile(r"(?<!\d)(?:\d[ -]?){15,18}\d(?!\d)")
PROVINCES = "京津沪渝冀豫云辽黑湘皖鲁新苏浙赣鄂桂甘晋蒙陕吉闽贵粤青藏川宁琼"
PLATE = re.compile(rf"[{PROVINCES}][A-HJ-NP-Z][·• ]?[A-HJ-NP-Z0-9]{{4,5}}[A-HJ-NP-Z0-9挂学警]")
MAIL = re.compile(r"(?<![\w.])[\w.+-]+@[\w-]+\.[\w.-]*[A-Za-z]")
SURNAMES = (
    "王李张刘陈杨黄赵吴周徐孙马朱胡郭何高林罗郑梁谢宋唐许韩冯邓曹彭曾肖田董袁潘于蒋蔡余杜"
    "叶程苏魏吕丁任沈姚卢姜崔钟谭陆汪范金石廖贾夏韦付方白邹孟熊秦邱江尹薛闫段雷侯龙史陶黎"
    "贺顾毛郝龚邵万钱严覃武戴莫孔向汤"
)
"""The commonest family names; they cover about nine in ten people."""
INTRODUCED_BY = "姓名|员工|工人|司机|操作工|伤者|死者|患者|联系人|负责人|师傅|班长|同志"
NAME_ZH = re.compile(rf"(?:{INTRODUCED_BY})[：:为是 ]*[{SURNAMES}][一-鿿]{{1,2}}(?![一-鿿])")
NAME_ZH_BEFORE = re.compile(
    rf"(?:(?<![一-鿿])|(?<=[由请让与和找见被对向经叫给]))[{SURNAMES}][一-鿿]{{0,2}}(?:师傅|先生|女士|班长|主任|队长|工程师)"
)
NAME_EN = re.compile(r"\b(?:Mr|Mrs|Ms|Dr|Mister|Foreman|Supervisor)\.? [A-Z][a-z]+(?: [A-Z][a-z]+)?")

WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)


def is_id_card(found: str) -> bool:
    """Whether 18 characters bear the check character of a Chinese identity card (GB 11643).

    Examples
    --------
    >>> is_id_card("11010519491231002X"), is_id_card("110105194912310021")
    (True, False)
    """
    total = sum(weight * int(digit) for weight, digit in zip(WEIGHTS, found[:17], strict=True))
    return "10X98765432"[total % 11] == found[17].upper()


def is_bank_card(found: str) -> bool:
    """Whether the digits pass the Luhn check and begin as payment cards do.

    Examples
    --------
    >>> is_bank_card("4111 1111 1111 1111"), is_bank_card("4111 1111 1111 1112")
    (True, False)
    """
    digits = [int(letter) for letter in found if letter.isdigit()]
    if digits[0] not in (3, 4, 5, 6) or len(set(digits)) == 1:
        return False
    doubled = [
        digit if i % 2 == 0 else (digit * 2 - 9 if digit > 4 else digit * 2) for i, digit in enumerate(digits[::-1])
    ]
    return sum(doubled) % 10 == 0


def _always(_found: str) -> bool:
    return True


KINDS: Mapping[str, tuple[tuple[re.Pattern[str], ...], Callable[[str], bool], Sentence]] = {
    "id_card": ((ID_CARD,), is_id_card, Sentence(en="identity card numbers", zh="身份证号")),
    "bank_card": ((BANK_CARD,), is_bank_card, Sentence(en="bank card numbers", zh="银行卡号")),
    "phone": ((PHONE, PHONE_EN), _always, Sentence(en="phone numbers", zh="电话号码")),
    "social_security": ((SOCIAL_SECURITY,), _always, Sentence(en="social security numbers", zh="社会保障号")),
    "licence_plate": ((PLATE,), _always, Sentence(en="licence plates", zh="车牌号")),
    "mail": ((MAIL,), _always, Sentence(en="mail addresses", zh="电子邮箱")),
    "name": ((NAME_ZH, NAME_ZH_BEFORE, NAME_EN), _always, Sentence(en="names of persons", zh="人名")),
}
"""Every kind of identifier: patterns, the rule that confirms a hit, and what it is called."""


def identifiers_in(text: str) -> frozenset[str]:
    """Return the kinds of identifier a text holds.

    Examples
    --------
    >>> sorted(identifiers_in("联系人：王小明，电话 13812345678"))
    ['name', 'phone']
    """
    return frozenset(
        kind
        for kind, (patterns, confirms, _) in KINDS.items()
        if any(confirms(found.group()) for pattern in patterns for found in pattern.finditer(text))
    )


def count_identifiers(column: pd.Series, most: int = 20_000) -> dict[str, int]:
    """Return how many of a column's first `most` different values hold each kind of identifier.

    Numbers are read as text when they are whole and as long as a phone number or longer.
    """
    values = column.dropna().drop_duplicates().head(most)
    if pd.api.types.is_float_dtype(values):
        values = values[(values == values.round()) & (values.abs() >= 1e10) & (values.abs() < 1e16)].astype("int64")
    elif pd.api.types.is_numeric_dtype(values) and not pd.api.types.is_bool_dtype(values):
        values = values[values.abs() >= 10**10]
    elif pd.api.types.is_datetime64_any_dtype(values) or pd.api.types.is_bool_dtype(values):
        return {}
    counts: dict[str, int] = {}
    for value in values.astype("string"):
        for kind in identifiers_in(str(value)):
            counts[kind] = counts.get(kind, 0) + 1
    return counts
