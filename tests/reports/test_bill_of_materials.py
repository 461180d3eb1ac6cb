"""The bill of materials satisfies the schema of CycloneDX 1.6, strictly, and is the same for the same version."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reports.bill_of_materials import bill_of_materials
from tests.reports.factories import DIGEST, some_findings, some_model_figures
from tests.reports.papers import some_facts

pytest.importorskip("jsonschema", reason="cyclonedx-python-lib[json-validation] is not installed")
validation = pytest.importorskip("cyclonedx.validation.json", reason="cyclonedx-python-lib is not installed")
SCHEMA = pytest.importorskip("cyclonedx.schema").SchemaVersion.V1_6


def faults(bill: dict[str, Any]) -> Any:
    """What the schema says against a bill; None when it is satisfied."""
    return validation.JsonStrictValidator(SCHEMA).validate_str(json.dumps(bill))


class TestBill:
    def test_satisfies_the_schema(self) -> None:
        assert faults(bill_of_materials(some_facts())) is None

    def test_does_so_without_findings_data_or_sources(self) -> None:
        figures = some_model_figures(findings=some_findings(performance=None), verdict=None, log=None)
        assert faults(bill_of_materials(some_facts(figures, data_digests={}, environment={}))) is None

    def test_a_planted_fault_would_be_seen(self) -> None:
        bill = bill_of_materials(some_facts())
        bill["metadata"]["component"]["modelCard"]["colour"] = "red"
        assert faults(bill) is not None

    def test_names_artifact_data_libraries_and_figures(self) -> None:
        bill = bill_of_materials(some_facts())
        component = bill["metadata"]["component"]
        assert component["hashes"] == [{"alg": "SHA-256", "content": DIGEST}]
        assert {part["type"] for part in bill["components"]} == {"data", "library"}
        metrics = component["modelCard"]["quantitativeAnalysis"]["performanceMetrics"]
        assert {"type": "detection_rate", "value": "0.66", "confidenceInterval": {"lowerBound": "0.614",
                "upperBound": "0.706"}} in metrics  # fmt: skip

    def test_same_version_same_bill(self) -> None:
        assert bill_of_materials(some_facts()) == bill_of_materials(some_facts())

    @settings(max_examples=20, deadline=None)
    @given(st.text(max_size=30))
    def test_any_name_makes_a_valid_bill(self, name: str) -> None:
        assert faults(bill_of_materials(some_facts(environment={"numpy": name or "0"}))) is None
