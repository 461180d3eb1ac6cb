"""The one de-identification of a model version: the same at check, at scoring and at replay."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from policies.deidentification import DeidentificationPlan
from policies.errors import Refused, Sentence, refuse_all

Floats = npt.NDArray[np.float64]


class IdentifierPresent(Refused):
    """A direct identifier was handed in where none may be."""


def require_no_identifiers(plan: DeidentificationPlan) -> None:
    """Raise `IdentifierPresent` naming every forbidden column at once."""
    faults = tuple(
        Sentence(
            en=f"column '{name}' identifies a person directly; remove it or pseudonymise it before handing data in",
            zh=f"“{name}”列可直接识别个人身份，请删除或假名化后再提交",
        )
        for name in plan.forbidden
    )
    if faults:
        raise IdentifierPresent(*faults)


def deidentified(X: Floats, feature_names: Sequence[str], plan: DeidentificationPlan) -> Floats:
    """Return the matrix as model and trace may see it: quasi-identifiers rounded down to their bands.

    Parameters
    ----------
    X : array of shape (n_rows, n_features)
        Rows as handed in; NaN stays NaN.
    """
    if not plan.bands:
        return X
    out = X.copy()
    for column, name in enumerate(feature_names):
        width = plan.bands.get(name)
        if width is not None:
            out[:, column] = np.floor(X[:, column] / width) * width
    return out


def pseudonym(subject: str, key: bytes) -> str:
    """Return the pseudonym of a subject under a secret key: HMAC-SHA-256, the first 128 bits in hex.

    Raises
    ------
    Malformed
        When the subject is empty: an empty name would tie strangers together.
    """
    if not subject.strip():
        refuse_all([Sentence(en="the subject id is empty; leave it out instead", zh="对象编号为空，请直接省略该项")])
    return hmac.new(key, subject.strip().encode(), hashlib.sha256).hexdigest()[:32]
