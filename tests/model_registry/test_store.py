"""What every model store promises, run over each of them."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from model_registry.store import ModelStore
from model_registry.submission import Submission
from model_registry.version import (
    ArtifactAltered,
    ArtifactGone,
    DocumentNotFound,
    ModelVersion,
    NoArtifact,
    VersionNotFound,
)
from policies.errors import Conflict, Malformed, NotFound
from policies.tiers import Tier
from tests.model_registry.makers import TOML, a_booster, a_directory, a_submission, rows


def keep(store: ModelStore, submission: Submission, documents: Mapping[str, bytes] | None = None) -> ModelVersion:
    """Register with what the test is not about."""
    return store.register(submission, submission_id="s-1", tier=Tier.L3, tags={"line": "A"}, documents=documents or {})


def kept_file(tmp_path: Path, store: ModelStore, name: str = "model.ubj") -> Path:
    """The file in which the store itself keeps the artifact (not a copy it handed out before)."""
    own = [path for path in tmp_path.rglob(name) if path.is_file() and "in" not in path.relative_to(tmp_path).parts[:1]]
    own = [path for path in own if "model-cache" not in path.parts]
    assert len(own) == 1
    return own[0]


class TestRegister:
    """Keeping a submission as a version."""

    def test_first_version_says_what_was_submitted(self, store: ModelStore, tmp_path: Path) -> None:
        submission = a_submission(tmp_path / "in")
        made = keep(store, submission)
        assert (made.name, made.version, made.tier, made.status) == ("gas-leak", "1", Tier.L3, "submitted")
        assert made.artifact_digest == hashlib.sha256((tmp_path / "in" / "model.ubj").read_bytes()).hexdigest()
        assert (made.submission_id, made.owner, made.site) == ("s-1", "process-safety-ml", "plant-07")
        assert (made.flavour, dict(made.tags)) == ("xgboost", {"line": "A"})
        assert dict(made.data_digests) == {
            role: hashlib.sha256((tmp_path / "in" / f"{role}.csv").read_bytes()).hexdigest()
            for role in ("evaluation", "training")
        }
        assert made.created.utcoffset() is not None
        assert store.version("gas-leak", "1") == made

    def test_versions_of_one_name_count_up(self, store: ModelStore, tmp_path: Path) -> None:
        submission = a_submission(tmp_path / "in")
        assert [keep(store, submission).version for _ in range(3)] == ["1", "2", "3"]

    def test_chinese_model_name(self, store: ModelStore, tmp_path: Path) -> None:
        made = keep(store, a_submission(tmp_path / "in", name="燃气泄漏预警"))
        assert store.versions("燃气泄漏预警") == (made,)
        assert store.artifact("燃气泄漏预警", "1").is_file()

    def test_artifact_changed_since_it_was_read(self, store: ModelStore, tmp_path: Path) -> None:
        submission = a_submission(tmp_path / "in")
        (tmp_path / "in" / "model.ubj").write_bytes(b"another model")
        with pytest.raises(ArtifactAltered):
            keep(store, submission)
        assert store.versions() == ()

    def test_document_outside_its_folder(self, store: ModelStore, tmp_path: Path) -> None:
        submission = a_submission(tmp_path / "in")
        with pytest.raises(Malformed, match=r"a document cannot be kept as '\.\./evil'"):
            keep(store, submission, {"../evil": b""})
        assert store.versions() == ()

    def test_predictions_have_no_artifact(self, store: ModelStore, tmp_path: Path) -> None:
        toml = TOML.format(name="scores", flavour="predictions").replace('artifact = "model.ubj"\n', "")
        toml = toml.replace('label = "harmed"', 'label = "harmed"\nprediction = "score"')
        made = keep(store, a_submission(tmp_path / "in", toml=toml, evaluation=rows().assign(score=0.25)))
        assert made.artifact_digest == made.data_digests["evaluation"]
        with pytest.raises(NoArtifact, match="scores:1 was handed in as 'predictions', without a model file"):
            store.artifact("scores", "1")

    def test_two_of_one_name_in_flight_do_not_mix(self, store: ModelStore, tmp_path: Path) -> None:
        models = [bytes(a_booster(seed).save_raw("ubj")) for seed in range(4)]
        submissions = [a_submission(tmp_path / "in" / str(k), model=model) for k, model in enumerate(models)]
        ready = threading.Barrier(len(models))

        def register(k: int) -> ModelVersion:
            ready.wait()
            documents = {"who.txt": str(k).encode()}
            return store.register(
                submissions[k], submission_id=f"s-{k}", tier=Tier.L2, tags={"k": str(k)}, documents=documents
            )

        with ThreadPoolExecutor(len(models)) as pool:
            made = list(pool.map(register, range(len(models))))
        assert sorted(version.version for version in made) == ["1", "2", "3", "4"]
        for k, version in enumerate(made):
            again = store.version("gas-leak", version.version)
            assert again == version
            assert (again.submission_id, again.tags["k"]) == (f"s-{k}", str(k))
            assert store.document("gas-leak", version.version, "who.txt") == str(k).encode()
            assert store.artifact("gas-leak", version.version).read_bytes() == models[k]


class TestVersion:
    """Finding versions."""

    @pytest.mark.parametrize("asked", [("gas-leak", "2"), ("other", "1"), ("gas-leak", "last"), ("a'b", "1"), ("", "")])
    def test_absent(self, store: ModelStore, tmp_path: Path, asked: tuple[str, str]) -> None:
        keep(store, a_submission(tmp_path / "in"))
        with pytest.raises(VersionNotFound, match=f"there is no model {asked[0]}:{asked[1]}"):
            store.version(*asked)

    def test_all_versions_by_name_and_number(self, store: ModelStore, tmp_path: Path) -> None:
        first, second = a_submission(tmp_path / "in" / "b", name="b"), a_submission(tmp_path / "in" / "a", name="a")
        for submission in (first, second, first):
            keep(store, submission)
        assert [(made.name, made.version) for made in store.versions()] == [("a", "1"), ("b", "1"), ("b", "2")]
        assert [made.version for made in store.versions("b")] == ["1", "2"]
        assert store.versions("c") == ()
        assert store.versions("c' or name='b") == ()


class TestSetTags:
    """Saying more about a version."""

    def test_status_and_tier_are_fields(self, store: ModelStore, tmp_path: Path) -> None:
        keep(store, a_submission(tmp_path / "in"))
        after = store.set_tags("gas-leak", "1", {"status": "approved", "tier": "L4", "until": "2027-01-01"})
        assert (after.status, after.tier, dict(after.tags)) == (
            "approved",
            Tier.L4,
            {"line": "A", "until": "2027-01-01"},
        )
        assert store.version("gas-leak", "1") == after

    def test_digest_is_fixed(self, store: ModelStore, tmp_path: Path) -> None:
        before = keep(store, a_submission(tmp_path / "in"))
        with pytest.raises(
            Conflict, match="'artifact_digest' is fixed at registration; register a new version instead"
        ):
            store.set_tags("gas-leak", "1", {"artifact_digest": "0" * 64})
        assert store.version("gas-leak", "1") == before

    def test_unknown_tier(self, store: ModelStore, tmp_path: Path) -> None:
        keep(store, a_submission(tmp_path / "in"))
        with pytest.raises(Malformed, match="the tier 'L9' is not known; expected one of L1, L2, L3, L4"):
            store.set_tags("gas-leak", "1", {"tier": "L9"})

    def test_absent_version(self, store: ModelStore) -> None:
        with pytest.raises(VersionNotFound):
            store.set_tags("gas-leak", "1", {"status": "approved"})


class TestDocuments:
    """Findings and reports beside a version."""

    def test_declaration_is_kept_as_written(self, store: ModelStore, tmp_path: Path) -> None:
        submission = a_submission(tmp_path / "in")
        keep(store, submission, {"findings.json": b"[]"})
        assert store.documents("gas-leak", "1") == ("findings.json", "submission.toml")
        assert store.document("gas-leak", "1", "submission.toml") == submission.toml

    def test_added_later_and_replaced(self, store: ModelStore, tmp_path: Path) -> None:
        keep(store, a_submission(tmp_path / "in"))
        store.add_documents("gas-leak", "1", {"reports/透明度.pdf": b"%PDF-1", "a.txt": b"a"})
        store.add_documents("gas-leak", "1", {"reports/透明度.pdf": b"%PDF-2"})
        assert store.document("gas-leak", "1", "reports/透明度.pdf") == b"%PDF-2"
        assert store.documents("gas-leak", "1") == ("a.txt", "reports/透明度.pdf", "submission.toml")

    def test_absent(self, store: ModelStore, tmp_path: Path) -> None:
        keep(store, a_submission(tmp_path / "in"))
        with pytest.raises(DocumentNotFound, match=r"gas-leak:1 has no document report\.pdf"):
            store.document("gas-leak", "1", "report.pdf")

    @pytest.mark.parametrize("path", ["../MLmodel", "/etc/passwd", "a/../../b", "", "a//b", "a\\b", "C:x", "a\nb"])
    def test_path_that_leaves(self, store: ModelStore, tmp_path: Path, path: str) -> None:
        keep(store, a_submission(tmp_path / "in"))
        with pytest.raises(Malformed, match="a document cannot be kept as"):
            store.add_documents("gas-leak", "1", {path: b"x"})
        with pytest.raises(Malformed, match="a document cannot be kept as"):
            store.document("gas-leak", "1", path)


class TestArtifact:
    """Handing out what was registered, and nothing else."""

    def test_same_bytes(self, store: ModelStore, tmp_path: Path) -> None:
        keep(store, a_submission(tmp_path / "in"))
        path = store.artifact("gas-leak", "1")
        assert (path.name, path.read_bytes()) == ("model.ubj", (tmp_path / "in" / "model.ubj").read_bytes())

    def test_altered_in_the_store(self, store: ModelStore, tmp_path: Path) -> None:
        registered = keep(store, a_submission(tmp_path / "in")).artifact_digest
        store.artifact("gas-leak", "1")
        kept = kept_file(tmp_path, store)
        kept.write_bytes(kept.read_bytes() + b" ")
        found = hashlib.sha256(kept.read_bytes()).hexdigest()
        with pytest.raises(ArtifactAltered) as refusal:
            store.artifact("gas-leak", "1")
        assert refusal.value.says.en == (
            f"the artifact of gas-leak:1 was altered: registered with SHA-256 {registered}, found {found}; "
            "it does not run, hand it in as a new version"
        )
        assert registered in refusal.value.says.zh and found in refusal.value.says.zh

    def test_gone_from_the_store(self, store: ModelStore, tmp_path: Path) -> None:
        keep(store, a_submission(tmp_path / "in"))
        kept_file(tmp_path, store).unlink()
        with pytest.raises(ArtifactGone, match="the artifact of gas-leak:1 is no longer in the registry"):
            store.artifact("gas-leak", "1")

    def test_folder_keeps_its_digest(self, store: ModelStore, tmp_path: Path) -> None:
        folder = a_directory(
            tmp_path / "in", toml=TOML.format(name="gas-leak", flavour="xgboost").replace("model.ubj", "m")
        )
        (folder / "m" / "data").mkdir(parents=True)
        (folder / "m" / "data" / "model.ubj").write_bytes(b"1")
        (folder / "m" / "MLmodel").write_bytes(b"2")
        made = keep(store, a_submission_of(folder))
        kept = store.artifact("gas-leak", "1")
        lines = sorted(
            f"{hashlib.sha256(content).hexdigest()}  1  {path}\n"
            for path, content in {"data/model.ubj": b"1", "MLmodel": b"2"}.items()
        )
        assert made.artifact_digest == hashlib.sha256("".join(lines).encode()).hexdigest()
        assert (kept / "data" / "model.ubj").read_bytes() == b"1"
        kept_file(tmp_path, store, "MLmodel" if (tmp_path / "models").exists() else "model.ubj").with_name(
            "more"
        ).touch()
        with pytest.raises(ArtifactAltered):
            store.artifact("gas-leak", "1")


def a_submission_of(folder: Path) -> Submission:
    """Read a directory that the test has changed."""
    from model_registry.submission import read_submission

    return read_submission(folder)


class TestResolve:
    """Artifacts named by their place in the registry."""

    def test_version_by_number(self, store: ModelStore, tmp_path: Path) -> None:
        keep(store, a_submission(tmp_path / "in"))
        path = store.resolve("models:/gas-leak/1", tmp_path / "out")
        assert path.read_bytes() == (tmp_path / "in" / "model.ubj").read_bytes()
        assert path.is_relative_to(tmp_path / "out")

    @pytest.mark.parametrize(
        "address", ["models:/gas-leak/2", "models:/x/1", "models:/gas-leak@champion", "runs:/abc/model"]
    )
    def test_nothing_there(self, store: ModelStore, tmp_path: Path, address: str) -> None:
        keep(store, a_submission(tmp_path / "in"))
        with pytest.raises(NotFound, match=f"there is nothing at {address} in this registry"):
            store.resolve(address, tmp_path / "out")

    @pytest.mark.parametrize(
        "address",
        [
            "models:/gas-leak/Production",
            "models:/gas-leak",
            "runs:/abc/../x",
            "file:///etc/passwd",
            "models:/a/1/../../b",
        ],
    )
    def test_no_address(self, store: ModelStore, tmp_path: Path, address: str) -> None:
        with pytest.raises(Malformed, match="is no artifact address; expected models:/name/3"):
            store.resolve(address, tmp_path / "out")
