"""A model that stays behind its own address: asked for the evaluation rows, believed only where it keeps its word."""

from __future__ import annotations

import http.client
import json
import math
import socket
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import numpy.typing as npt
import pandas as pd

from audit.deidentify import deidentified, require_no_identifiers
from policies.declaration import Declaration, EndpointPart, Protocol
from policies.deidentification import DeidentificationRules, plan_for
from policies.errors import Refused, Sentence, Unavailable

Floats = npt.NDArray[np.float64]

LARGEST_ANSWER = 64_000_000
"""Bytes of one answer at most; a thousand scores have some 20,000."""

ASKED_AGAIN = 100
"""Rows that are sent a second time."""

SAME = 1e-9
"""Two answers to one row may differ by this much, relative."""


class EndpointRefused(Refused):
    """The endpoint answered, and its answer cannot be believed or may not be asked for."""


class EndpointAway(Unavailable):
    """The endpoint did not answer, or not in time."""


@dataclass(frozen=True, kw_only=True)
class Reach:
    """Which endpoints may be asked from here.

    Parameters
    ----------
    named : frozenset of str
        `host` or `host:port` the operator trusts.
    anywhere : bool
        Whether others may be asked as well, as on a laptop, where the person who asks could ask anyway. A service asks
        only those named: else whoever submits could make it call any address inside its network.
    token : str or None
        Sent as bearer token, and only to a host that is named.
    """

    named: frozenset[str] = frozenset()
    anywhere: bool = True
    token: str | None = None

    def names(self, host: str, port: int | None) -> bool:
        """Whether a host is on the list of those named."""
        return bool({host, f"{host}:{port}"} & self.named)


ANYWHERE = Reach()


def endpoint_scores(
    declaration: Declaration, frame: pd.DataFrame, rules: DeidentificationRules, reach: Reach = ANYWHERE
) -> Floats:
    """Return the scores an endpoint gives for these rows, de-identified as any model would see them.

    Parameters
    ----------
    frame : DataFrame
        Evaluation rows. Sent are the columns the declaration names; never label, subject, time or groups.

    Raises
    ------
    EndpointRefused
        When the host is not one to be asked, the answer is no list of one number for each row, or the same rows get
        other scores when asked again.
    EndpointAway
        When it cannot be reached, fails, or takes longer than declared.
    IdentifierPresent
        When a column to be sent names a person.
    """
    endpoint = declaration.endpoint
    assert endpoint is not None, "a declaration of flavour 'endpoint' has an [endpoint]"
    call = _Call(endpoint, reach)
    rows = sent_rows(declaration, frame, rules)
    parts = [call.scores(rows[start : start + endpoint.rows_per_call], start) for start in _starts(endpoint, len(rows))]
    scores = np.concatenate(parts)
    again = call.scores(rows[:ASKED_AGAIN], 0)
    apart = np.flatnonzero(np.abs(again - scores[: len(again)]) > SAME * np.maximum(1.0, np.abs(again)))
    if len(apart):
        row = int(apart[0])
        raise EndpointRefused(
            Sentence(
                en=f"{call.where} gave data row {row + 1} a score of {scores[row]:.6g} and, asked again, "
                f"{again[row]:.6g}; a model that answers anew each time cannot be judged",
                zh=f"{call.where} 对第 {row + 1} 个数据行先后给出 {scores[row]:.6g} 与 {again[row]:.6g}；"
                "每次结果不同的模型无法评判，请关闭其随机性",
            )
        )
    return scores


def sent_columns(declaration: Declaration, frame: pd.DataFrame) -> tuple[str, ...]:
    """Return the columns that are sent: those named, else the declared features, else all but those set aside."""
    endpoint, data = declaration.endpoint, declaration.data
    if endpoint is not None and endpoint.columns:
        return endpoint.columns
    if declaration.features:
        return tuple(declaration.features)
    aside = {data.label, data.prediction, data.time, data.subject, *data.groups, *data.labels_by.values()}
    return tuple(str(name) for name in frame.columns if name not in aside)


def sent_rows(declaration: Declaration, frame: pd.DataFrame, rules: DeidentificationRules) -> pd.DataFrame:
    """Return what leaves the house: the columns to be sent, without identifiers, quasi-identifiers in bands."""
    columns = sent_columns(declaration, frame)
    missing = [name for name in columns if name not in frame.columns]
    if missing:
        raise EndpointRefused(
            *(
                Sentence(
                    en=f"endpoint.columns names '{name}', which the evaluation data do not hold",
                    zh=f"endpoint.columns 指定的“{name}”不在评估数据中",
                )
                for name in missing
            )
        )
    plan = plan_for(columns, rules)
    require_no_identifiers(plan)
    rows = frame[list(columns)].reset_index(drop=True)
    for name in plan.bands:
        if pd.api.types.is_numeric_dtype(rows[name]):
            values = rows[[name]].to_numpy(dtype=np.float64, na_value=np.nan)
            rows[name] = deidentified(values, (name,), plan)[:, 0]
    return rows


def _starts(endpoint: EndpointPart, n: int) -> range:
    return range(0, n, endpoint.rows_per_call)


class _Call:
    """One endpoint, and how it is spoken to."""

    def __init__(self, endpoint: EndpointPart, reach: Reach) -> None:
        self._endpoint = endpoint
        self._parts = urlsplit(endpoint.url)
        host = self._parts.hostname or ""
        self.where = f"{host}:{self._parts.port}" if self._parts.port else host
        known = reach.names(host, self._parts.port)
        if not (known or reach.anywhere):
            raise EndpointRefused(
                Sentence(
                    en=f"this service does not call {self.where}; the operator names the endpoints it may call in "
                    "MINGJING_ENDPOINT_HOSTS, or run `mingjing check` where you are",
                    zh=f"本服务不调用 {self.where}；可调用的端点由运维人员在 MINGJING_ENDPOINT_HOSTS 中列出，"
                    "或在本机运行 `mingjing check`",
                )
            )
        self._token = reach.token if known else None

    def scores(self, rows: pd.DataFrame, start: int) -> Floats:
        """Ask for some rows; `start` is the place of the first among all."""
        body = json.dumps(REQUESTS[self._endpoint.protocol](rows), allow_nan=False).encode()
        answer = self._read(self._post(body))
        values = ANSWERS[self._endpoint.protocol](answer, self._endpoint.answer)
        if values is None:
            raise self._odd(
                "no list of scores it could be asked for; see docs/submitting.md for the answers that are read",
                "其中没有可识别的分数列表；可读取的应答格式见 docs/submitting.md",
            )
        if len(values) != len(rows):
            raise self._odd(
                f"{len(values)} scores for {len(rows)} rows; every row needs one, in the order sent",
                f"发送 {len(rows)} 行却收到 {len(values)} 个分数；每行须有一个分数且顺序一致",
            )
        for place, value in enumerate(values):
            if not isinstance(value, int | float) or isinstance(value, bool) or not math.isfinite(value):
                raise self._odd(
                    f"{value!r} as the score of data row {start + place + 1}; expected a finite number",
                    f"第 {start + place + 1} 个数据行的分数为 {value!r}，应为有限数值",
                )
        return np.asarray(values, dtype=np.float64)

    def _odd(self, en: str, zh: str) -> EndpointRefused:
        return EndpointRefused(Sentence(en=f"{self.where} answered with {en}", zh=f"{self.where} 的应答有误：{zh}"))

    def _read(self, answer: tuple[int, Mapping[str, str], bytes]) -> Any:
        status, headers, body = answer
        kind = headers.get("content-type", "").partition(";")[0].strip().lower()
        if 300 <= status < 400:
            target = _excerpt(headers.get("location", "").encode())
            raise self._odd(
                f"a redirect to {target}, which is not followed; name the final address",
                f"重定向至 {target}，不予跟随；请写明最终地址",
            )
        if kind == "text/html" or body.lstrip()[:1] == b"<":
            raise self._odd(
                f"HTML (status {status}) where JSON was expected; is the address that of a page to sign in?",
                f"返回 HTML（状态码 {status}）而非 JSON；该地址是否为登录页面？",
            )
        if status >= 500:
            raise EndpointAway(
                Sentence(
                    en=f"{self.where} failed with status {status}: {_excerpt(body)}; mend it and check again",
                    zh=f"{self.where} 出错，状态码 {status}：{_excerpt(body)}；请修复后重新检查",
                )
            )
        if status != 200:
            raise self._odd(f"status {status}: {_excerpt(body)}", f"状态码 {status}：{_excerpt(body)}")
        try:
            return json.loads(body)
        except (ValueError, RecursionError) as wrong:
            raise self._odd(
                f"something that is not JSON: {_excerpt(body)}", f"内容不是 JSON：{_excerpt(body)}"
            ) from wrong

    def _post(self, body: bytes) -> tuple[int, Mapping[str, str], bytes]:
        """Post once, within one time limit for everything: a server that drips one byte at a time is cut off too."""
        connection = self._connection()
        late = threading.Event()
        held: list[socket.socket] = []  # the connection lets go of its socket once the answer has begun

        def cut() -> None:
            late.set()
            for sock in held:
                _shut(sock)

        timer = threading.Timer(self._endpoint.timeout_seconds, cut)
        timer.start()
        try:
            connection.connect()
            held.append(connection.sock)
            if late.is_set():
                raise TimeoutError
            path = (self._parts.path or "/") + (f"?{self._parts.query}" if self._parts.query else "")
            connection.request("POST", path, body=body, headers=self._headers())
            with connection.getresponse() as answer:
                told = answer.read(LARGEST_ANSWER + 1)
        except (OSError, http.client.HTTPException) as wrong:
            raise self._late() if late.is_set() or isinstance(wrong, TimeoutError) else self._away(wrong) from wrong
        finally:
            timer.cancel()
            connection.close()
            for sock in held:
                sock.close()
        if late.is_set():
            raise self._late()
        if len(told) > LARGEST_ANSWER:
            raise self._odd(
                f"more than {LARGEST_ANSWER:,} bytes; ask for fewer rows at a time (endpoint.rows_per_call)",
                f"超过 {LARGEST_ANSWER:,} 字节；请减少每次发送的行数（endpoint.rows_per_call）",
            )
        return answer.status, {name.lower(): value for name, value in answer.getheaders()}, told

    def _connection(self) -> http.client.HTTPConnection:
        host, port, wait = self._parts.hostname or "", self._parts.port, self._endpoint.timeout_seconds
        if self._parts.scheme == "https":
            return http.client.HTTPSConnection(host, port, timeout=wait, context=ssl.create_default_context())
        return http.client.HTTPConnection(host, port, timeout=wait)

    def _headers(self) -> dict[str, str]:
        headers = {"Content-Type": "application/json", "Accept": "application/json", "Accept-Encoding": "identity"}
        return headers | ({"Authorization": f"Bearer {self._token}"} if self._token else {})

    def _late(self) -> EndpointAway:
        wait = self._endpoint.timeout_seconds
        return EndpointAway(
            Sentence(
                en=f"{self.where} did not answer within {wait:g} s; look whether it hangs, or ask for fewer rows at a "
                "time (endpoint.rows_per_call, endpoint.timeout_seconds)",
                zh=f"{self.where} 在 {wait:g} 秒内未应答；请检查其是否挂起，或减少每次发送的行数"
                "（endpoint.rows_per_call、endpoint.timeout_seconds）",
            )
        )

    def _away(self, wrong: Exception) -> EndpointAway:
        why = getattr(wrong, "strerror", None) or str(wrong) or type(wrong).__name__
        return EndpointAway(
            Sentence(
                en=f"{self.where} cannot be reached: {why}; start it and check again",
                zh=f"无法连接 {self.where}：{why}；请启动后重新检查",
            )
        )


def _excerpt(body: bytes) -> str:
    text = body[:300].decode("utf-8", errors="replace")
    shown = " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())
    return repr(shown[:120])


def _plain(value: object) -> object:
    """Return a cell as JSON can carry it; a missing value is null."""
    if value is None or value is pd.NA or value is pd.NaT:
        return None
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value if isinstance(value, str | bool | int) else str(value)


def _mlflow_request(rows: pd.DataFrame) -> dict[str, Any]:
    data = [[_plain(value) for value in row] for row in rows.itertuples(index=False, name=None)]
    return {"dataframe_split": {"columns": [str(name) for name in rows.columns], "data": data}}


def _oip_request(rows: pd.DataFrame) -> dict[str, Any]:
    inputs = []
    for name in rows.columns:
        values = [_plain(value) for value in rows[name].tolist()]
        text = any(isinstance(value, str) for value in values)
        data = values if text else [None if value is None else float(value) for value in values]  # type: ignore[arg-type]
        inputs.append(
            {"name": str(name), "shape": [len(values), 1], "datatype": "BYTES" if text else "FP64", "data": data}
        )
    return {"inputs": inputs}


def _mlflow_answer(answer: Any, wanted: str | None) -> list[Any] | None:
    """Return the scores of `{"predictions": …}`: numbers, lists with the score last, or records with a field for it."""
    found = answer.get("predictions", answer.get("outputs")) if isinstance(answer, Mapping) else answer
    if isinstance(found, Mapping) and wanted in found:
        found = found[wanted]
    if not isinstance(found, list):
        return None
    return list(_each(found, wanted))


def _each(found: Sequence[Any], wanted: str | None) -> Iterator[Any]:
    for item in found:
        if isinstance(item, Mapping):
            yield item.get(wanted) if wanted else next(iter(item.values())) if len(item) == 1 else None
        elif isinstance(item, list) and 1 <= len(item) <= 2:
            yield item[-1]
        else:
            yield item


def _oip_answer(answer: Any, wanted: str | None) -> list[Any] | None:
    """Return the scores of the output that is named, or of the only one; of two columns the second."""
    outputs = answer.get("outputs") if isinstance(answer, Mapping) else None
    if not isinstance(outputs, list):
        return None
    chosen = [one for one in outputs if isinstance(one, Mapping) and (wanted is None or one.get("name") == wanted)]
    if len(chosen) != 1 or not isinstance(chosen[0].get("data"), list):
        return None
    data: list[Any] = chosen[0]["data"]
    shape = chosen[0].get("shape", [])
    if data and isinstance(data[0], list):
        return list(_each(data, None))
    return data[1::2] if isinstance(shape, list) and len(shape) == 2 and shape[1] == 2 else data


REQUESTS: Mapping[Protocol, Callable[[pd.DataFrame], dict[str, Any]]] = {
    Protocol.MLFLOW: _mlflow_request,
    Protocol.OIP: _oip_request,
}
ANSWERS: Mapping[Protocol, Callable[[Any, str | None], list[Any] | None]] = {
    Protocol.MLFLOW: _mlflow_answer,
    Protocol.OIP: _oip_answer,
}


def _shut(sock: socket.socket) -> None:
    """Wake the thread that waits for this socket: closing alone would leave it waiting."""
    try:
        sock.shutdown(socket.SHUT_RDWR)
    except OSError:
        return  # it is over already
