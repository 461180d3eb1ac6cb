"""The tree of RFC 6962: its published vectors, and the laws of both proofs."""

from __future__ import annotations

from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit.merkle import (
    EMPTY_ROOT,
    Frontier,
    Subtree,
    consistency_proof,
    inclusion_proof,
    is_consistent,
    leaf_hash,
    node_hash,
    perfect_parts,
    root_from_inclusion,
    root_of,
)

# Entries and roots of the reference implementation of Certificate Transparency (merkle tree tests).
ENTRIES = [
    bytes.fromhex(text)
    for text in ("", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f")
]
ROOTS = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
LEAVES = st.lists(st.binary(max_size=4).map(leaf_hash), min_size=1, max_size=80)


def subtree_of(leaves: list[bytes]) -> Subtree:
    return lambda level, position: root_of(leaves[position << level : (position + 1) << level])


def by_definition(leaves: list[bytes]) -> bytes:
    """MTH of RFC 6962, 2.1, word for word."""
    if not leaves:
        return sha256(b"").digest()
    if len(leaves) == 1:
        return leaves[0]
    split = 1
    while split * 2 < len(leaves):
        split *= 2
    return node_hash(by_definition(leaves[:split]), by_definition(leaves[split:]))


class TestRoots:
    def test_empty_log(self) -> None:
        assert EMPTY_ROOT.hex() == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
        assert Frontier().root() == EMPTY_ROOT

    @pytest.mark.parametrize("size", range(1, 9))
    def test_published_roots(self, size: int) -> None:
        assert root_of(map(leaf_hash, ENTRIES[:size])).hex() == ROOTS[size - 1]

    @given(LEAVES)
    def test_growth_gives_the_root_of_the_definition(self, leaves: list[bytes]) -> None:
        assert root_of(leaves) == by_definition(leaves)

    @given(st.integers(0, 300), LEAVES)
    def test_growing_by_many_is_growing_by_one_each(self, before: int, leaves: list[bytes]) -> None:
        one, many = Frontier(), Frontier()
        for number in range(before):
            one.add(leaf_hash(b"%d" % number))
        many.extend([leaf_hash(b"%d" % number) for number in range(before)])
        completed = {node for leaf in leaves for node in one.add(leaf)}
        told = many.extend(leaves)
        assert one == many
        assert completed == {
            (level, position, top) for level, first, tops in told for position, top in enumerate(tops, first)
        }

    @given(LEAVES)
    def test_a_frontier_read_from_subtrees_is_the_grown_one(self, leaves: list[bytes]) -> None:
        assert Frontier.at(len(leaves), subtree_of(leaves)).root() == by_definition(leaves)

    @given(st.integers(0, 300), st.integers(0, 300))
    def test_perfect_parts_cover_a_range_once(self, one: int, other: int) -> None:
        start, end = sorted((one, other))
        parts = perfect_parts(start, end)
        covered = [place for level, position in parts for place in range(position << level, (position + 1) << level)]
        assert covered == list(range(start, end))

    def test_ten_millionth_leaf_completes_no_more_than_the_height(self) -> None:
        frontier = Frontier(2**23 - 1, [b"x" * 32] * 23)
        assert len(frontier.add(b"y" * 32)) == 23


class TestInclusion:
    def test_published_path(self) -> None:
        leaves = [leaf_hash(entry) for entry in ENTRIES]
        assert [step.hex() for step in inclusion_proof(5, 8, subtree_of(leaves))] == [
            "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
            "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
            "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        ]

    @given(LEAVES, st.data())
    def test_every_path_leads_to_the_root(self, leaves: list[bytes], data: st.DataObject) -> None:
        index = data.draw(st.integers(0, len(leaves) - 1))
        path = inclusion_proof(index, len(leaves), subtree_of(leaves))
        assert root_from_inclusion(index, len(leaves), leaves[index], path) == root_of(leaves)

    @given(LEAVES, st.data())
    def test_another_leaf_leads_elsewhere(self, leaves: list[bytes], data: st.DataObject) -> None:
        index = data.draw(st.integers(0, len(leaves) - 1))
        path = inclusion_proof(index, len(leaves), subtree_of(leaves))
        assert root_from_inclusion(index, len(leaves), leaf_hash(b"forged"), path) != root_of(leaves)

    @given(LEAVES, st.data())
    def test_a_path_of_the_wrong_length_leads_nowhere(self, leaves: list[bytes], data: st.DataObject) -> None:
        index = data.draw(st.integers(0, len(leaves) - 1))
        path = inclusion_proof(index, len(leaves), subtree_of(leaves))
        assert root_from_inclusion(index, len(leaves), leaves[index], [*path, b"x" * 32]) is None
        if path:
            assert root_from_inclusion(index, len(leaves), leaves[index], path[:-1]) is None

    def test_outside_the_tree_there_is_no_path(self) -> None:
        with pytest.raises(ValueError, match="leaf 3 is not in a tree of 3"):
            inclusion_proof(3, 3, subtree_of([b""] * 3))
        assert root_from_inclusion(3, 3, b"", []) is None


class TestConsistency:
    def test_published_proof(self) -> None:
        leaves = [leaf_hash(entry) for entry in ENTRIES]
        assert [step.hex() for step in consistency_proof(6, 8, subtree_of(leaves))] == [
            "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
            "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
            "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        ]

    @given(LEAVES, st.data())
    def test_every_older_tree_is_continued(self, leaves: list[bytes], data: st.DataObject) -> None:
        older = data.draw(st.integers(0, len(leaves)))
        proof = consistency_proof(older, len(leaves), subtree_of(leaves))
        assert is_consistent(older, len(leaves), root_of(leaves[:older]), root_of(leaves), proof)

    @given(LEAVES, st.data())
    def test_a_fork_is_not_continued(self, leaves: list[bytes], data: st.DataObject) -> None:
        older = data.draw(st.integers(1, len(leaves)))
        proof = consistency_proof(older, len(leaves), subtree_of(leaves))
        fork = [*leaves[: older - 1], leaf_hash(b"forged entry")]
        assert not is_consistent(older, len(leaves), root_of(fork), root_of(leaves), proof)

    @given(LEAVES, st.data())
    def test_a_proof_with_a_step_too_many_or_too_few_shows_nothing(
        self, leaves: list[bytes], data: st.DataObject
    ) -> None:
        older = data.draw(st.integers(1, len(leaves)))
        proof = consistency_proof(older, len(leaves), subtree_of(leaves))
        roots = root_of(leaves[:older]), root_of(leaves)
        assert not is_consistent(older, len(leaves), *roots, [*proof, b"x" * 32])
        if proof:
            assert not is_consistent(older, len(leaves), *roots, proof[:-1])

    def test_a_shorter_log_continues_nothing(self) -> None:
        with pytest.raises(ValueError, match="a tree of 2 cannot continue one of 3"):
            consistency_proof(3, 2, subtree_of([b""] * 3))
        assert not is_consistent(3, 2, b"", b"", [])
