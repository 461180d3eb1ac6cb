"""What reviewers found to be true, as rows for retraining: no persons, no ids, no times, no order of events."""

from __future__ import annotations

import io
from datetime import datetime

import pandas as pd

from audit.entries import Entry
from audit.log_reader import Wanted
from audit.trace_log import RecordRestricted, TraceLog
from governance.reviews import SAID, TRACKS
from governance.statements import statement, words_of
from policies.roles import Action, Person, require

COLUMNS = ("score", "alarm", "alarm_after_review", "label", *(f"label_{track}" for track in TRACKS))
"""What stands beside the inputs; alone where nothing was reviewed."""


def relabelled_rows(log: TraceLog, model: str, since: datetime, until: datetime, *, by: Person) -> bytes:
    """Return the reviewed decisions of a model as CSV for retraining; that it was handed out is logged.

    Each row has the de-identified inputs the model saw, its score and verdict, the verdict after review, and the
    labels by track. It names neither the person concerned nor the reviewer, has no id and no time, and stands in an
    order that tells nothing. What was erased is not in it. Where nothing was reviewed there is a header and no row.

    Raises
    ------
    NotAllowed
    """
    require(by, Action.OVERSEE_REVIEWS)
    last: dict[str, Entry] = {}
    for kind in SAID:
        for word in log.each(Wanted(kind=kind, model=model, since=since, until=until).seen_by(by)):
            known = last.get(word.about or "")
            if word.about is not None and (known is None or word.index > known.index):
                last[word.about] = word
    # The hash of a leaf is as good as a shuffle, and the same file comes out twice.
    rows = [row for word in sorted(last.values(), key=lambda word: word.leaf) if (row := _row(log, word)) is not None]
    log.append(
        [
            statement(
                "publish",
                by=by.name,
                body={"what": "labels for retraining", "rows": len(rows), "since": str(since), "until": str(until)},
                model=model,
                site=by.site,
            )
        ]
    )
    out = io.StringIO()
    pd.DataFrame(rows, columns=None if rows else list(COLUMNS)).to_csv(out, index=False, lineterminator="\n")
    return out.getvalue().encode()


def _row(log: TraceLog, word: Entry) -> dict[str, object] | None:
    said = words_of(log, word)
    decision = log.entry(word.about or "")
    if not said or decision.erased:
        return None
    try:
        trace = log.trace(decision.id)
    except RecordRestricted:
        return None
    if trace is None:
        return None
    tracks = said.get("labels") or {}
    return {
        **dict(zip(trace.feature_names, map(float, trace.inputs), strict=True)),
        "score": trace.score,
        "alarm": int(trace.verdict),
        "alarm_after_review": int(bool(said.get("verdict"))),
        "label": said.get("label"),
        **{f"label_{track}": tracks.get(track) for track in TRACKS},
    }
