"""The figures of the house in one place: what a page, a PDF and a JSON file show is one of these values."""

from reports.decision_building import decision_figures
from reports.decision_figures import (
    CapShare,
    ChangeFigure,
    ContributionFigure,
    DecisionFigures,
    FlipFigure,
    PlaneFigure,
    View,
)
from reports.facts import (
    DecisionCounts,
    EntryFacts,
    LogFacts,
    Outcome,
    OutcomeFacts,
    ReviewFacts,
    VerdictFacts,
    VersionFacts,
)
from reports.model_building import model_figures
from reports.model_figures import (
    CapFigure,
    Comparison,
    CurvePoint,
    FeatureFigure,
    FindingFigure,
    GroupFigure,
    KnownFailure,
    ModelFigures,
    Performance,
    ProbeFigure,
)

__all__ = [
    "CapFigure",
    "CapShare",
    "ChangeFigure",
    "Comparison",
    "ContributionFigure",
    "CurvePoint",
    "DecisionCounts",
    "DecisionFigures",
    "EntryFacts",
    "FeatureFigure",
    "FindingFigure",
    "FlipFigure",
    "GroupFigure",
    "KnownFailure",
    "LogFacts",
    "ModelFigures",
    "Outcome",
    "OutcomeFacts",
    "Performance",
    "PlaneFigure",
    "ProbeFigure",
    "ReviewFacts",
    "VerdictFacts",
    "VersionFacts",
    "View",
    "decision_figures",
    "model_figures",
]
