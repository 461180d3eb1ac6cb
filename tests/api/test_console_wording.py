"""Every sentence of the console exists in both languages, and every key a page asks for exists at all."""

from __future__ import annotations

import re
import string
from pathlib import Path

import pytest

from api.console import pages
from api.console.desk_decisions import FLAGS
from api.console.desk_submissions import CHOICES
from api.console.pages import DESKS
from api.console.submission_form import FEATURE, SOURCE, TRACK
from api.console.wording import catalogue, knows, name_of, say
from governance.approvals import Verdict
from governance.stages import Stage
from policies.declaration import RECORD_FIELDS, Flavour, Protective, Protocol, Task
from policies.feature_caps import OnExceed
from policies.roles import Role
from reports import wording
from reports.charts import scene

CONSOLE = Path(pages.__file__).parent
SOURCES = [*sorted(CONSOLE.glob("templates/*.html")), *sorted(CONSOLE.glob("*.py"))]
ANSWERS = ("alarm", "quiet", "refused", "cleared")
RATES = [key.removeprefix("rate.") for key in wording.catalogue("en") if key.startswith("rate.")]
DONE = tuple(key.removeprefix("done.") for key in catalogue("en") if key.startswith("done."))
ASKED = re.compile(r"""(?:\bt\(|\bsay\(\w+, )\s*['"]([a-z_]+(?:\.\w+)+)['"]\s*[,)]""")
CHOSEN = re.compile(r"""['"]([a-z_]+\.\w+)['"] (?:if|else)|else ['"]([a-z_]+\.\w+)['"]""")


def keys_asked() -> list[tuple[str, str]]:
    """Every phrase key that stands in a template or module, with where it stands."""
    found = set()
    for source in SOURCES:
        text = source.read_text(encoding="utf-8")
        found |= {(key, source.name) for key in ASKED.findall(text)}
        found |= {(one or other, source.name) for one, other in CHOSEN.findall(text)}
    return sorted(found)


def placeholders(phrase: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(phrase) if name}


class TestCatalogues:
    def test_have_the_same_keys(self) -> None:
        assert set(catalogue("en")) == set(catalogue("zh"))

    def test_fill_the_same_values(self) -> None:
        different = [k for k, en in catalogue("en").items() if placeholders(en) - placeholders(catalogue("zh")[k])]
        # Chinese writes no plural, so it may leave a count to the figure before it.
        assert [key for key in different if placeholders(catalogue("zh")[key])] == []
        assert all(placeholders(zh) <= placeholders(catalogue("en")[k]) for k, zh in catalogue("zh").items())

    def test_chinese_is_chinese(self) -> None:
        latin = {"people.end"} | {k for k, zh in catalogue("zh").items() if not re.search(r"[一-鿿]", zh)}
        assert latin - {"people.end"} == {"app.interval", "models.on_day"}

    def test_have_what_a_page_asks_for(self) -> None:
        assert [f"{where} asks for '{key}'" for key, where in keys_asked() if not knows(key)] == []

    def test_some_keys_were_found(self) -> None:
        assert len(keys_asked()) > 150

    @pytest.mark.parametrize(
        ("pattern", "members"),
        [
            ("role.{}", [role.value for role in Role]),
            ("stage.{}", [stage.value for stage in Stage]),
            ("flag.{}", FLAGS),
            ("nav.{}", [name for name, _, _ in DESKS]),
            ("exceed.{}", [way.value for way in OnExceed]),
            ("outcome.{}", [verdict.value for verdict in Verdict]),
            ("summary.alarm_{}", [side.value for side in Protective]),
            ("decided.{}", ANSWERS),
            ("dec.{}", ANSWERS),
            ("limits.{}", ("one", "two", "three", "four", "five", "six")),
            *((f"verdict.{part}", CHOICES) for part in ("{}", "{}_means", "{}_does", "confirm_{}", "give_{}")),
            *((f"models.{part}", ("suspend", "resume")) for part in ("{}", "{}_does")),
            ("done.{}", DONE),
            ("draft.{}", ("model", "use", "data", "features", "impact", "record")),
            ("draft.flavour_{}", list(Flavour)),
            ("draft.task_{}", list(Task)),
            ("draft.side_{}", list(Protective)),
            ("draft.protocol_{}", list(Protocol)),
            ("draft.r_{}", RECORD_FIELDS),
            ("draft.c_{}", FEATURE),
            ("draft.s_{}", SOURCE),
            ("draft.t_{}", TRACK),
            ("help.{}", RATES),
        ],
    )
    def test_name_every_member_of_a_family(self, pattern: str, members: list[str]) -> None:
        assert [member for member in members if not knows(pattern.format(member))] == []

    def test_every_act_a_desk_reports_is_known_to_the_page(self) -> None:
        told = re.findall(r"""known_acts = \[([^\]]+)\]""", (CONSOLE / "templates" / "parts.html").read_text())
        assert set(re.findall(r"'(\w+)'", told[0])) == set(DONE)


class TestSay:
    def test_fills_numbers_as_the_language_writes_them(self) -> None:
        assert say("en", "sub.days", n=1) == "1 day"
        assert say("en", "sub.days", n=1200) == "1,200 days"
        assert say("zh", "sub.days", n=1200) == "1,200 天"

    def test_takes_the_reports_phrase_where_it_has_none_of_its_own(self) -> None:
        assert "log.root" not in catalogue("en")
        assert say("zh", "log.root") == "根哈希"

    def test_raises_for_a_phrase_nobody_has(self) -> None:
        with pytest.raises(KeyError):
            say("en", "no.such")


class TestNameOf:
    def test_lets_an_unknown_name_stand_for_itself(self) -> None:
        assert name_of("en", "flag", "brand_new") == "brand_new"


class TestStyle:
    STYLE = (CONSOLE / "static" / "console.css").read_text(encoding="utf-8")

    def test_every_colour_of_the_pictures_has_a_dark_form(self) -> None:
        colours = {value for value in vars(scene).values() if isinstance(value, str) and value.startswith("#")}
        missing = {c for c in colours if f'="{c}"]' not in self.STYLE}
        assert len(colours) >= 9
        assert missing == set()

    def test_asks_no_other_host_for_anything(self) -> None:
        assert "url(" not in self.STYLE
        assert "@import" not in self.STYLE
        assert "http" not in self.STYLE

    @pytest.mark.parametrize("template", sorted(CONSOLE.glob("templates/*.html")), ids=lambda path: path.name)
    def test_no_template_holds_a_script_a_style_or_raw_markup(self, template: Path) -> None:
        text = template.read_text(encoding="utf-8").replace('<script src="{{ script }}" defer></script>', "")
        assert not re.search(r"<script|<style|\sstyle=|\son[a-z]+=|javascript:|\|\s*safe\b", text)
        assert not re.search(r"""(?:src|href|action)=["'](?:https?:)?//""", text)

    @pytest.mark.parametrize("template", sorted(CONSOLE.glob("templates/*.html")), ids=lambda path: path.name)
    def test_every_form_that_changes_something_carries_the_token(self, template: Path) -> None:
        text = template.read_text(encoding="utf-8")
        forms = re.findall(r'<form method="post".*?</form>', text, re.DOTALL)
        assert len(forms) == text.count('method="post"')
        assert all("parts.token()" in form for form in forms)
