"""Law and standards on the command line: packs, coverage, scope, sealed snapshots."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from api.commands.shared import Acting, Data, Json, acting, opened, out, say, show_json
from policies.coverage import State
from policies.errors import Malformed, Sentence
from policies.roles import Role

regulating = typer.Typer(help="Regulation packs: what law asks and what the house answers.", no_args_is_help=True)


def snapshot(
    files: Annotated[
        list[Path] | None, typer.Option("--out", help="Where it goes, by suffix: .json, .pdf, .xlsx. May be repeated.")
    ] = None,
    language: Annotated[str, typer.Option("--lang", help="zh or en.")] = "en",
    number: Annotated[int | None, typer.Option("--number", help="An earlier snapshot instead of a new one.")] = None,
    reason: Annotated[str, typer.Option("--reason", help="Why it is taken.")] = "",
    data: Data = None,
    as_user: Acting = None,
    as_json: Json = False,
) -> None:
    """Freeze how far the house answers law and standards, number it and seal it into the log.

    Example: mingjing snapshot --lang zh --out snapshot.pdf --out snapshot.xlsx
    """
    require_known(language, [file.suffix for file in files or ()])
    with opened(data) as service:
        person = acting(service, as_user, Role.DSO)
        if number is None:
            kept = service.compliance.take_snapshot(by=person, reason=reason)
        else:
            kept = service.compliance.snapshot(number, person)
        for file in files or ():
            if file.suffix == ".json":
                file.write_bytes(service.papers.json(kept.as_json()))
            else:
                file.write_bytes(service.papers.snapshot(kept, language, "pdf" if file.suffix == ".pdf" else "xlsx"))
    if as_json:
        show_json(kept.as_json())
        return
    head = kept.head()
    out.print(f"snapshot {kept.number}, log entry {kept.entry}", markup=False)
    for state, count in dict(head["states"]).items():  # type: ignore[call-overload]
        out.print(f"  {count:>4} {state}", markup=False)
    for file in files or ():
        out.print(f"{file} written", markup=False)


def require_known(language: str, suffixes: list[str]) -> None:
    """Raise Malformed for a language or a file suffix that is none of ours, all at once."""
    faults = []
    if language not in ("zh", "en"):
        faults.append(
            Sentence(
                en=f"there is no language '{language}'; expected zh or en", zh=f"没有语言“{language}”，应为 zh 或 en"
            )
        )
    faults += [
        Sentence(
            en=f"a file ending in '{suffix}' is not written; expected .json, .pdf or .xlsx",
            zh=f"不支持后缀“{suffix}”，应为 .json、.pdf 或 .xlsx",
        )
        for suffix in suffixes
        if suffix not in (".json", ".pdf", ".xlsx")
    ]
    if faults:
        raise Malformed(*faults)


@regulating.command("list")
def packs(data: Data = None, as_json: Json = False) -> None:
    """List the packs in use, the company's own among them.

    Example: mingjing law list
    """
    with opened(data) as service:
        found = service.compliance.packs
    if as_json:
        show_json([pack.as_json() for pack in found])
        return
    for pack in found:
        out.print(f"{pack.id:<28} {pack.version:<12} {len(pack.clauses):>3} clauses  {say(pack.title)}", markup=False)


@regulating.command("coverage")
def covered(
    model: Annotated[str | None, typer.Option("--model", help="Only what is asked of this model.")] = None,
    pack: Annotated[str | None, typer.Option("--pack", help="Only this pack.")] = None,
    data: Data = None,
    as_user: Acting = None,
    as_json: Json = False,
) -> None:
    """Show clause by clause whether the house answers it, and because of what. 1 when something does not hold.

    Example: mingjing law coverage --pack cn-pipl
    """
    with opened(data) as service:
        person = acting(service, as_user, Role.DSO)
        rows = service.compliance.coverage(person, model=model, pack=pack)
    if as_json:
        show_json([row.as_json() for row in rows])
    else:
        for row in rows:
            out.print(f"{row.pack} {row.clause}  {row.state.value}  {row.model or ''}", markup=False)
            out.print(f"    {say(row.asked)}: {say(row.because)}", markup=False)
    if any(row.state is State.FAILS for row in rows):
        raise typer.Exit(1)


@regulating.command("revision")
def revision(
    pack: Annotated[str, typer.Argument(help="Id of the pack.")],
    files: Annotated[
        list[Path] | None, typer.Option("--out", help="Where it goes, by suffix: .json, .pdf, .xlsx. May be repeated.")
    ] = None,
    language: Annotated[str, typer.Option("--lang", help="zh or en.")] = "en",
    data: Data = None,
    as_user: Acting = None,
    as_json: Json = False,
) -> None:
    """Show what changed in a pack since it was adopted: old, new, what it means, who acts by when, permits touched.

    Example: mingjing law revision eu-ai-act --lang zh --out revision.pdf --out revision.xlsx
    """
    require_known(language, [file.suffix for file in files or ()])
    with opened(data) as service:
        person = acting(service, as_user, Role.DSO)
        found = service.pack_revisions.of_pack(pack, person)
        for file in files or ():
            if file.suffix == ".json":
                file.write_bytes(service.papers.json(found.as_json()))
            else:
                file.write_bytes(service.papers.revision(found, language, "pdf" if file.suffix == ".pdf" else "xlsx"))
    if as_json:
        show_json(found.as_json())
        return
    out.print(f"{pack} {found.old_version or '-'} -> {found.new_version}, digest {found.new_digest}", markup=False)
    for change in found.changes:
        means = Sentence(en=change["means"]["en"], zh=change["means"]["zh"])
        out.print(f"  {change['place']}  {change['kind']}  {change['who']} by {change['by']}", markup=False)
        out.print(f"      {say(means)}", markup=False)
    out.print(f"{len(found.touched)} permits to examine again", markup=False)
    for line in found.touched:
        out.print(f"  {line['model']}", markup=False)


@regulating.command("adopt")
def adopt(
    pack: Annotated[str, typer.Argument(help="Id of the pack.")],
    digest: Annotated[str, typer.Option("--digest", help="Digest of the text that was read.")],
    reason: Annotated[str, typer.Option("--reason", help="Why; it is kept in the log.")],
    data: Data = None,
    as_user: Acting = None,
    as_json: Json = False,
) -> None:
    """Sign the revision of a pack; the signature is an entry of the log.

    Example: mingjing law adopt eu-ai-act --digest 7e07… --reason "read with counsel"
    """
    with opened(data) as service:
        person = acting(service, as_user, Role.COMMITTEE)
        signed = service.pack_revisions.adopt(pack, by=person, reason=reason, digest=digest)
    if as_json:
        show_json(signed.as_json())
    else:
        out.print(f"revision {signed.number} of {pack} signed, log entry {signed.entry}", markup=False)


@regulating.command("scope")
def scope(
    pack: Annotated[str, typer.Argument(help="Id of the pack.")],
    question: Annotated[str, typer.Argument(help="Name of its question.")],
    applies: Annotated[bool, typer.Option("--applies/--does-not-apply", help="The answer.")],
    reason: Annotated[str, typer.Option("--reason", help="Why; it is kept in the log.")],
    data: Data = None,
    as_user: Acting = None,
    as_json: Json = False,
) -> None:
    """Answer a question of scope: whether a law applies to this house.

    Example: mingjing law scope eu-gdpr people_in_the_union --does-not-apply --reason "no sites in the Union"
    """
    with opened(data) as service:
        person = acting(service, as_user, Role.DSO)
        answer = service.compliance.answer_scope(pack, question, applies, by=person, reason=reason)
    if as_json:
        show_json(answer.as_json())
    else:
        out.print(
            f"{pack} {question}: {'applies' if applies else 'does not apply'}, log entry {answer.entry}", markup=False
        )
