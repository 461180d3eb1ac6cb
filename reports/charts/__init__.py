"""Pictures of decisions and models: one drawing code for page and PDF, in both languages, readable in grey."""

from reports.charts.bars import Measured, measured_bars
from reports.charts.boundary import Flip, Plane, decision_plane, flip_lines
from reports.charts.confusion import confusion_picture
from reports.charts.contours import contour
from reports.charts.contributions import ShareStep, Step, share_bars, waterfall
from reports.charts.importance import Importance, importance_bars
from reports.charts.rates import GroupRate, group_rates
from reports.charts.reliability import Bin, reliability_curve
from reports.charts.scene import Drawing
from reports.charts.svg import to_svg
from reports.charts.tradeoff import Choice, tradeoff_curve

__all__ = [
    "Bin",
    "Choice",
    "Drawing",
    "Flip",
    "GroupRate",
    "Importance",
    "Measured",
    "Plane",
    "ShareStep",
    "Step",
    "confusion_picture",
    "contour",
    "decision_plane",
    "flip_lines",
    "group_rates",
    "importance_bars",
    "measured_bars",
    "reliability_curve",
    "share_bars",
    "to_svg",
    "tradeoff_curve",
    "waterfall",
]
