"""What a team hands in: a declaration, an artifact and data, read into one value or refused with every fault."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TypeVar

import numpy as np
import numpy.typing as npt
import pandas as pd

from model_registry.addresses import read_address, read_file_address
from model_registry.columns import TWO_OUTCOMES, column_faults, outcome_numbers
from model_registry.digests import artifact_digest
from model_registry.limits import DEFAULT_LIMITS, Limits
from model_registry.named_files import DECLARATION, named_path
from model_registry.tables import Table, read_table
from model_registry.unpacking import unpack_submission
from policies.declaration import WITHOUT_ARTIFACT, Declaration, Protective, read_declaration
from policies.errors import Fault, Malformed, NotFound, Sentence, Unavailable, field_of, refuse_all

__all__ = ["Submission", "harm_in", "is_address", "read_submission", "unpack_submission"]

ADDRESSES = ("models:/", "runs:/")
"""Artifacts that lie in a registry rather than beside the declaration."""

Made = TypeVar("Made")
Resolver = Callable[[str], Path]


@dataclass(frozen=True, kw_only=True, eq=False)
class Submission:
    """One submission, complete. Exists only when every file and column that is named is there.

    Parameters
    ----------
    declaration : Declaration
        What the team says.
    directory : Path
        Where it was read.
    artifact : Path or None
        The model file or folder; None for predictions and endpoints.
    artifact_digest : str
        SHA-256 by which the model is approved and vetoed. Predictions and endpoints hand over no model: there it
        is the digest of the evaluation file, which is all that could be examined.
    data_digests : mapping of "evaluation" and, where there is one, "training" to SHA-256
    evaluation, training : DataFrame
        Every column as handed over, at least one row.
    toml : bytes
        The declaration as written.
    """

    declaration: Declaration
    directory: Path
    artifact: Path | None
    artifact_digest: str
    data_digests: Mapping[str, str]
    evaluation: pd.DataFrame
    training: pd.DataFrame | None
    toml: bytes

    @property
    def truth(self) -> npt.NDArray[np.bool_]:
        """Whether harm happened, one value per evaluation row."""
        return harm_in(self.declaration, self.evaluation)


def harm_in(declaration: Declaration, frame: pd.DataFrame) -> npt.NDArray[np.bool_]:
    """Return in which rows harm happened, shape (n_rows,).

    The label says 1 for what the score stands for. A model that alarms at or above its threshold scores the harm,
    one that alarms below it (it grants permits) scores safety: there harm is where the label says 0. A quantity
    (regression) is harm where it lies on the protective side of the threshold.
    """
    values = outcome_numbers(frame[declaration.data.label])
    if values is None:
        raise Malformed(
            Sentence(
                en=f"the label '{declaration.data.label}' does not hold numbers",
                zh=f"标签“{declaration.data.label}”不是数值",
            )
        )
    limit = 0.5 if declaration.model.task in TWO_OUTCOMES else declaration.model.threshold
    above = values >= limit
    return np.asarray(above if declaration.model.protective is Protective.AT_OR_ABOVE else ~above)


def read_submission(directory: Path, *, limits: Limits = DEFAULT_LIMITS, resolve: Resolver | None = None) -> Submission:
    """Read and judge a submission directory.

    Parameters
    ----------
    directory : Path
        Holds `submission.toml` and the files it names.
    limits : Limits
        Sizes above which nothing is read.
    resolve : function from address to Path, or None
        Fetches an artifact named as `models:/name/3` or `runs:/id/path`, and data files named as `runs:/id/path` or
        `models:/name/3/path`, each into a folder of its own; None where no registry is at hand.

    Raises
    ------
    Malformed
        With every fault of files and columns at once. Where the declaration itself cannot be understood its
        faults come alone: nobody knows then which files are meant.
    """
    toml = _read_toml(directory, limits)
    declaration = read_declaration(toml)
    faults: list[Sentence] = []
    evaluation = _or_faults(faults, lambda: _table(directory, declaration, "evaluation", limits, resolve))
    training = None
    if declaration.data.training is not None:
        training = _or_faults(faults, lambda: _table(directory, declaration, "training", limits, resolve))
    artifact = _or_faults(faults, lambda: _artifact(directory, declaration, resolve))
    digest = _or_faults(faults, lambda: artifact_digest(artifact, limits)) if artifact else None
    if evaluation is not None:
        faults += column_faults(declaration, declaration.data.evaluation, evaluation.frame, training=False)
    if training is not None:
        faults += column_faults(declaration, declaration.data.training or "", training.frame, training=True)
    refuse_all(faults)
    assert evaluation is not None, "a table that could not be read is among the faults"
    digests = {"evaluation": evaluation.digest} | ({} if training is None else {"training": training.digest})
    return Submission(
        declaration=declaration,
        directory=directory,
        artifact=artifact,
        artifact_digest=digest or evaluation.digest,
        data_digests=MappingProxyType(digests),
        evaluation=evaluation.frame,
        training=None if training is None else training.frame,
        toml=toml,
    )


def is_address(name: str) -> bool:
    """Whether an artifact or a data file is named by its place in a registry."""
    return name.startswith(ADDRESSES)


def _or_faults(faults: list[Sentence], read: Callable[[], Made]) -> Made | None:
    """Return what `read` returns, or keep what it says against it and return None. A registry that is away raises."""
    try:
        return read()
    except Unavailable:
        raise
    except Fault as fault:
        faults += fault.faults
        return None


def _read_toml(directory: Path, limits: Limits) -> bytes:
    if not directory.is_dir():
        raise Malformed(
            Sentence(
                en=f"{directory.name or directory} is not a directory; expected one that holds {DECLARATION}",
                zh=f"{directory.name or directory} 不是目录，应为包含 {DECLARATION} 的目录",
            )
        )
    if not (directory / DECLARATION).exists():
        raise Malformed(
            Sentence(
                en=f"{DECLARATION} is missing in {directory.name}; "
                "it says what the model is for and which files belong to it",
                zh=f"{directory.name} 中缺少 {DECLARATION}，该文件用于说明模型用途及所含文件",
            )
        )
    path = named_path(directory, "the declaration", DECLARATION)
    size = path.stat().st_size
    if size > limits.declaration_bytes:
        raise Malformed(
            Sentence(
                en=f"{DECLARATION} has {size:,} bytes; at most {limits.declaration_bytes:,} are read",
                zh=f"{DECLARATION} 为 {size:,} 字节，最多读取 {limits.declaration_bytes:,} 字节",
            )
        )
    return path.read_bytes()


def _table(directory: Path, declaration: Declaration, role: str, limits: Limits, resolve: Resolver | None) -> Table:
    name = declaration.data.evaluation if role == "evaluation" else declaration.data.training or ""
    with _about(f"data.{role}"):
        if not is_address(name):
            return read_table(named_path(directory, f"data.{role}", name), limits)
        read_file_address(name)
        path = _fetched(f"data.{role}", name, resolve)
        if path.is_dir():
            raise Malformed(
                Sentence(
                    en=f"{name} is a folder; expected a CSV or Parquet file",
                    zh=f"{name} 是文件夹，应为 CSV 或 Parquet 文件",
                )
            )
        return read_table(path, limits)


def _artifact(directory: Path, declaration: Declaration, resolve: Resolver | None) -> Path | None:
    name = declaration.model.artifact
    if name is None:
        return None
    with _about("model.artifact"):
        if declaration.model.flavour in WITHOUT_ARTIFACT:
            raise Malformed(
                Sentence(
                    en=f"model.artifact names {name}, and flavour '{declaration.model.flavour}' "
                    "hands over no model; drop one of them",
                    zh=f"model.artifact 指定了 {name}，但类型“{declaration.model.flavour}”不提交模型文件，"
                    "请去掉其中之一",
                )
            )
        if not is_address(name):
            return named_path(directory, "model.artifact", name, folder_allowed=True)
        read_address(name)
        return _fetched("model.artifact", name, resolve)


def _fetched(key: str, name: str, resolve: Resolver | None) -> Path:
    if resolve is None:
        raise Malformed(
            Sentence(
                en=f"{key} is {name}, an address in a registry, and no registry is at hand here; "
                "put the file beside submission.toml or submit to a server",
                zh=f"{key} 为 {name}，是模型库地址，而此处没有可用的模型库；"
                "请将文件放在 submission.toml 旁，或提交到服务器",
            )
        )
    return resolve(name)


@contextmanager
def _about(key: str) -> Iterator[None]:
    """Let what is said against one key name it."""
    try:
        yield
    except (Malformed, NotFound) as fault:
        raise Malformed(*(sentence.about(field_of(sentence) or key) for sentence in fault.faults)) from fault
