"""Orders the documentation: known pages where a reader looks for them, every other page under More, none left out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

SECTIONS = {
    "Begin": ["index.md", "submitting.md", "ci.md", "tiers.md", "commands.md"],
    "Understand": [
        "architecture.md",
        "explanations.md",
        "explaining-other-models.md",
        "log.md",
        "reports.md",
        "people.md",
        "performance*.md",
    ],
    "Operate": [
        "settings.md",
        "addresses.md",
        "notifications.md",
        "hostile-files.md",
        "code-models.md",
        "mlflow.md",
        "serving.md",
        "operating.md",
        "deployment.md",
    ],
    "Checks": ["checks/index.md", "checks/*.md"],
    "Decisions": ["decisions/index.md", "decisions/*.md"],
    "Contribute": ["contributing.md", "changelog.md"],
    "中文": ["index.zh-CN.md", "**/*.zh-CN.md"],
    "More": ["**/*.md"],
}


def on_config(config: Any) -> Any:
    """Fill in the navigation from the pages that are there."""
    folder = Path(config.docs_dir)
    left = {str(page.relative_to(folder)) for page in folder.rglob("*.md")}
    config.nav = []
    for title, patterns in SECTIONS.items():
        pages = []
        for pattern in patterns:
            found = sorted(str(page.relative_to(folder)) for page in folder.glob(pattern))
            chinese = title in ("中文", "More")
            pages += [page for page in found if page in left and (chinese or not page.endswith(".zh-CN.md"))]
            left -= set(pages)
        if pages:
            config.nav.append({title: pages})
    return config
