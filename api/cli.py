"""The `mingjing` command: every door on the command line, and one place that turns faults into exit codes."""

from __future__ import annotations

import sys
import warnings

import typer
from sqlalchemy.exc import SQLAlchemyError

from api.commands import (
    accounts,
    anchoring,
    backing_up,
    complying,
    deciding,
    disclosing,
    edging,
    erasing,
    governing,
    keeping,
    known_failures,
    reporting,
    reviewing,
    ruling,
    running,
    submitting,
    using,
    working,
)
from api.commands.shared import err, say
from api.problems import away, exit_code
from policies.errors import Fault, Sentence

app = typer.Typer(
    name="mingjing",
    help="Mingjing 明镜: explainable-AI governance and algorithm audit for industrial risk models.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
app.command("demo")(running.demo)
app.command("serve")(running.serve)
app.command("check")(submitting.check)
app.command("submit")(submitting.submit)
app.command("verdict")(submitting.verdict)
app.command("predict")(deciding.predict)
app.command("wrap")(deciding.wrap)
app.command("trace")(deciding.trace)
app.command("verify")(deciding.verify)
app.command("report")(reporting.report)
app.command("letter")(reporting.letter)
app.command("snapshot")(complying.snapshot)
app.command("disclose")(disclosing.disclose)
app.command("outcomes")(disclosing.outcomes)
app.command("expire")(keeping.expire)
app.command("recheck")(keeping.recheck)
app.command("work")(working.work)
app.command("backup")(backing_up.backup)
app.command("restore")(backing_up.restore)
app.command("doctor")(running.doctor)
app.add_typer(reviewing.reviewing, name="review")
app.add_typer(reviewing.appealing, name="appeal")
app.add_typer(complying.regulating, name="law")
app.add_typer(governing.delegating, name="delegation")
app.add_typer(governing.tiering, name="tier")
app.add_typer(using.using, name="use")
app.add_typer(ruling.ruling, name="rulebook")
app.add_typer(disclosing.measuring, name="measure")
app.add_typer(keeping.holding, name="hold")
app.add_typer(erasing.erasing, name="erasure")
app.add_typer(anchoring.witnessing, name="witness")
app.add_typer(known_failures.negative_list, name="negative-list")
app.add_typer(edging.edges, name="edge")
app.add_typer(accounts.users, name="user")


def main() -> None:
    """Run the command line. 0 done and holds, 1 done and does not hold, 2 refused, 3 unavailable."""
    sys.exit(run(sys.argv[1:]))


def run(arguments: list[str]) -> int:
    """Run one command and return its exit code; every fault becomes one sentence on stderr."""
    if not all(_readable(argument) for argument in arguments):
        err.print(say(NOT_TEXT), markup=False, style="red")
        return 2
    if not sys.warnoptions:
        warnings.simplefilter("ignore")  # a user's terminal is no place for a library's deprecations
    try:
        done = app(arguments, standalone_mode=False)
    except Fault as fault:
        for sentence in fault.faults:
            err.print(say(sentence), markup=False, style="red")
        return exit_code(fault)
    except (OSError, SQLAlchemyError) as error:
        err.print(say(away(error).says), markup=False, style="red")
        return exit_code(away(error))
    except typer.Abort:
        return 2
    except typer.TyperException as misuse:
        err.print(str(misuse), markup=False, style="red")
        err.print("See: mingjing --help", markup=False)
        return 2
    return done if isinstance(done, int) else 0


NOT_TEXT = Sentence(
    en="an argument is not text in UTF-8; set the terminal to UTF-8", zh="有参数不是 UTF-8 文本，请将终端设为 UTF-8"
)


def _readable(argument: str) -> bool:
    """Whether an argument is text: bytes that are not come in as lone surrogates, which nothing can store."""
    return argument.isascii() or not any("\ud800" <= letter <= "\udfff" for letter in argument)


if __name__ == "__main__":
    main()
