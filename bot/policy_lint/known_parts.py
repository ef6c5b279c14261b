"""Every part of a policy, and whether it can change what policy says to a request.

What is encoded is in the terms of `levels` and `asked`; what is compared is looked at by `compare`
and by the checks of people and breadth; what is neutral changes no answer, and says why. A test
fails when the core has a part that is in none of these.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from bot.core import policy, scopes
from bot.core.windows import Window

_WORDS: Final = "words for people"
_WHERE: Final = "where it stands, or is told"
_AFTERWARDS: Final = "counts only once it is granted, or people are asked"

_AUDITED: Final = "in audit mode: told, never applied"


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """The fields of one class.

    Attributes:
        neutral: By name, with the reason.
    """

    encoded: frozenset[str] = frozenset()
    compared: frozenset[str] = frozenset()
    neutral: Mapping[str, str] = field(default_factory=dict)

    @property
    def all(self) -> frozenset[str]:
        """Every field that is known."""
        return self.encoded | self.compared | self.neutral.keys()


def _parts(encoded: str = "", compared: str = "", **neutral: str) -> Parts:
    return Parts(
        encoded=frozenset(encoded.split()), compared=frozenset(compared.split()), neutral=neutral
    )


KNOWN: Final[Mapping[type, Parts]] = {
    policy.Policy: _parts(
        "bundles groups rules_of guardrails_of windows",
        digest="a name of it",
        audited_of=_AUDITED,
        slices="names of parts of it",
    ),
    policy.Audited: _parts(one=_AUDITED, after=_AUDITED),
    policy.Rule: _parts(
        "id bundles verdict requesters clients max_duration during when chain",
        note=_WORDS,
        where=_WHERE,
    ),
    policy.Guardrail: _parts(
        "id bundles requesters clients during when deny max_duration min_approvals"
        " even_break_glass",
        note=_WORDS,
        where=_WHERE,
    ),
    policy.Selector: _parts("names environments risks accesses labels"),
    policy.Chain: _parts("stages conditions", name=_WORDS, expire_after=_AFTERWARDS),
    policy.Stage: _parts(
        "quorum", "approvers at_least escalate", name=_WORDS, channel=_WHERE, remind=_AFTERWARDS
    ),
    policy.Share: _parts("", "group people"),
    policy.Escalation: _parts("", "add_approvers stand_in_for", after=_AFTERWARDS, notify=_WHERE),
    policy.Group: _parts(
        "usergroup users any_of on_call manager", "min_members", name="what rules call it by"
    ),
    Window: _parts("zone days start end first last", name="what rules call it by"),
    scopes.Bundle: _parts(
        "name environment access risk labels max_duration reason_min glass",
        "scopes resource ticket limits prolonging delivery idle_end",
        title=_WORDS,
        description=_WORDS,
        channel=_WHERE,
        owner=_AFTERWARDS,
        claim_within=_AFTERWARDS,
        token_max=_AFTERWARDS,
        start_within="any moment is looked at",
        default_duration="what is asked for where nobody says; any duration is looked at",
    ),
    scopes.ScopeText: _parts("", "scope", words=_WORDS),
    scopes.TicketRule: _parts(
        "tracker people_if_down",
        "pattern projects assigned",
        example=_WORDS,
        ends_grant=_AFTERWARDS,
    ),
    scopes.Limits: _parts(
        "auto_per_day", "per_user_per_day active_total active_per_user cool_down"
    ),
    scopes.Prolonging: _parts("", "times total"),
    scopes.Glass: _parts(
        "who max_duration reason_min", "notify review_by review_within unreviewed"
    ),
}
