"""What regulation packs may name: the addresses at which controls are carried out, and every other name of the house.

A test holds the addresses to the application.
"""

from __future__ import annotations

import tomllib

from api.settings import Settings
from audit.entries import KINDS
from audit.examination import CHECKS
from governance.holdings import ANCHORS, DOCUMENTS, PARTS, Surroundings
from policies.errors import refuse_all
from policies.pack_faults import Known, pack_faults
from policies.regulations import Pack, read_packs
from policies.roles import Role
from policies.rulebook import Rulebook
from reports.signing import PdfSigner, Sign, unsigned

ADDRESSES = frozenset(
    {
        "get /v1/reports",
        "get /v1/rulebook",
        "get /v1/regulations",
        "get /v1/snapshots",
        "get /v1/decisions",
        "get /v1/decisions/{decision}",
        "get /v1/decisions/{decision}/explanation",
        "get /v1/decisions/{decision}/letter.pdf",
        "get /v1/decisions/{decision}/replay",
        "get /v1/decisions/{decision}/evidence",
        "post /v1/decisions/{decision}/reviews",
        "post /v1/decisions/{decision}/appeals",
        "post /v1/submissions",
        "post /v1/submissions/{submission}/verdict",
        "post /v1/models/{name}/suspend",
        "post /v1/models/{name}/resume",
        "get /v1/log/checkpoint",
        "get /v1/log/consistency",
        "get /v1/log/proof/{decision}",
    }
)


def packs_of(settings: Settings, rulebook: Rulebook) -> tuple[Pack, ...]:
    """Return the regulation packs, the company's own among them. Raises Malformed for names that stand for nothing."""
    packs = read_packs(settings.regulations)
    if settings.regulations is not None:
        refuse_all(pack_faults(packs, known_to_packs(rulebook)))
    return packs


def known_to_packs(rulebook: Rulebook) -> Known:
    """Return every name a regulation pack may speak of."""
    return Known(
        checks=frozenset(check.name for check in CHECKS),
        kinds=KINDS,
        routes=ADDRESSES,
        settings=frozenset(Settings.model_fields),
        documents=DOCUMENTS,
        anchors=ANCHORS,
        declared=frozenset(PARTS),
        roles=frozenset(role.value for role in Role),
        rules=tomllib.loads(rulebook.source.decode()),
        impact={
            question.name: frozenset(option.answer for option in question.options)
            for question in rulebook.impact.questions
        },
    )


def signing_of(settings: Settings) -> Sign:
    """Return what puts the company's signature under a PDF; without a key documents stay as they are.

    Raises
    ------
    SigningAway, KeyRefused
        At the start, and not when somebody waits for a report.
    """
    if settings.signing_certificate is None:
        return unsigned
    signer = PdfSigner(settings.signing_certificate, settings.signing_passphrase)
    signer.read()
    return signer.sign


def surroundings_of(settings: Settings) -> Surroundings:
    """Return what only the doors know: addresses of controls, and which settings somebody set."""
    defaults = {name: field.default for name, field in Settings.model_fields.items()}
    set_here = {name for name, default in defaults.items() if getattr(settings, name) != default}
    return Surroundings(routes=ADDRESSES, settings=frozenset(set_here))
