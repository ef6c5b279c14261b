"""Where it stands who is in a group, when the policy files do not list its people.

A source is asked when somebody asks or clicks: Slack for user groups, profiles and whether
somebody is still a member, an on-call service for rotas.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeAlias


class Provider(StrEnum):
    """What keeps a rota: a service, or an address of the operator's own."""

    PAGERDUTY = "pagerduty"
    OPSGENIE = "opsgenie"
    URL = "url"


@dataclass(frozen=True, slots=True)
class Usergroup:
    """The members of the Slack user group with this id ("S…")."""

    id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Rota:
    """Whoever is on call now.

    Attributes:
        schedule: As the service calls it; "" when `escalation_policy` is asked.
        escalation_policy: PagerDuty's alone.
        level: Of escalation, from 1.
    """

    provider: Provider
    schedule: str = ""
    escalation_policy: str = ""
    level: int = 1

    @property
    def named(self) -> str:
        """What people call it."""
        return self.schedule or self.escalation_policy


@dataclass(frozen=True, slots=True)
class ProfileField:
    """Whoever stands in this field ("Xf…", of type user) of somebody's Slack profile."""

    user: str
    field: str


@dataclass(frozen=True, slots=True)
class Member:
    """The person with this Slack user id, as long as they may use the bot."""

    user: str


Source: TypeAlias = Usergroup | Rota | ProfileField | Member


@dataclass(frozen=True, slots=True, kw_only=True)
class Manager:
    """How the manager of whoever asks is found.

    Attributes:
        profile_field: The field of their Slack profile that names them; "" when `of` does.
        of: Managers by the people that they manage, all of them Slack user ids.
    """

    profile_field: str = ""
    of: Mapping[str, str] = field(default_factory=dict)

    def source(self, user: str) -> Source | None:
        """Return where it stands who the manager of `user` is; None when they have none."""
        if self.profile_field:
            return ProfileField(user, self.profile_field)
        named = self.of.get(user)
        return Member(named) if named is not None else None

    def concerning(self, user: str) -> "Manager":
        """Return no more of it than it takes to find the manager of `user`."""
        of = {user: self.of[user]} if user in self.of else {}
        return Manager(profile_field=self.profile_field, of=of)
