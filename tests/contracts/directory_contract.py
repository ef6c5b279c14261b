"""What every Directory promises, told of the demo workspace. Fixture `workspace`."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from bot.core.errors import Unavailable
from bot.core.identity import Actor, Kind, person
from bot.core.policy import Group
from bot.core.sources import Manager, Provider, Rota
from bot.usecases.ports import Directory, Standing, Zones

TEAM = "T0DEMO"
STANDINGS = {
    "U0ANNA": Standing.MEMBER,
    "U0FINN": Standing.MEMBER,
    "U0GUS": Standing.GUEST,
    "U0OLGA": Standing.DEACTIVATED,
    "U0XENIA": Standing.FOREIGN,
    "U0JITBOT": Standing.BOT,
    "U0NOBODY": Standing.UNKNOWN,
}
BILLING = Group(name="billing", usergroup="S0BILLING")
SRE = Group(name="sre", usergroup="S0SRE")
LISTED = Group(name="listed", users=frozenset({"U0ANNA", "U0CLEO"}))
GONE = Group(name="gone", usergroup="S0GONE")
UNION = Group(name="union", any_of=(SRE, Group(name="inner", any_of=(LISTED,))))
SHRUNK = Group(name="shrunk", usergroup="S0SRE", min_members=3)
ROTA = Rota(provider=Provider.PAGERDUTY, schedule="PSRE123")
OTHER_ROTA = Rota(provider=Provider.PAGERDUTY, schedule="POTHER")
ON_CALL = Group(name="on-call", on_call=ROTA)
MANAGER = Group(name="manager", manager=Manager(profile_field="Xf0MANAGER"))
USABLE = ("#general", "#access-requests", "C0ACCESS", "#security-approvals", "C0SECURITY")
UNUSABLE = ("#hidden", "C0SECRET", "#partners", "C0PARTNERS", "#nowhere", "C0NOWHERE")


@dataclass(frozen=True, kw_only=True)
class Workspace:
    """The demo workspace, as one directory sees it.

    Attributes:
        deactivate: Closes the account of a user id.
        go_away: From then on Slack does not answer.
        roster: Puts people on call of ROTA, by user id.
        forget_rotas: From then on nobody knows who is on call.
        settle: Puts a user id into a time zone.
    """

    directory: Directory
    deactivate: Callable[[str], Awaitable[None]]
    go_away: Callable[[], Awaitable[None]]
    roster: Callable[..., None]
    forget_rotas: Callable[[], None]
    zones: Zones
    settle: Callable[[str, str], None]


def who(user: str, home: str = TEAM) -> Actor:
    return person(user, home=home)


WHOEVER = who("U0EVA")


class DirectoryContract:
    @pytest.mark.parametrize(("user", "standing"), STANDINGS.items())
    async def test_the_standing_of_everybody(
        self, workspace: Workspace, user: str, standing: Standing
    ) -> None:
        for fresh in (False, True, False):
            assert await workspace.directory.standing(who(user), fresh=fresh) is standing

    async def test_an_id_of_another_home_is_somebody_else(self, workspace: Workspace) -> None:
        for home in ("T0OTHER", "", "t0demo"):
            twin = who("U0ANNA", home)
            assert await workspace.directory.standing(twin) is Standing.FOREIGN
            assert (
                await workspace.directory.groups_of(twin, [LISTED, BILLING], about=WHOEVER)
                == frozenset()
            )

    async def test_a_program_is_no_member(self, workspace: Workspace) -> None:
        program = Actor(Kind.MACHINE, "U0ANNA", TEAM)
        assert await workspace.directory.standing(program) is Standing.BOT
        assert await workspace.directory.groups_of(program, [LISTED], about=WHOEVER) == frozenset()

    async def test_a_fresh_look_sees_that_somebody_has_left(self, workspace: Workspace) -> None:
        anna = who("U0ANNA")
        assert await workspace.directory.standing(anna) is Standing.MEMBER
        await workspace.deactivate("U0ANNA")
        fresh = await workspace.directory.standing(anna, fresh=True)
        assert fresh is Standing.DEACTIVATED
        assert await workspace.directory.standing(anna) is Standing.DEACTIVATED

    @pytest.mark.parametrize(
        ("user", "names"),
        [
            ("U0ANNA", {"listed"}),
            ("U0BEN", {"billing"}),
            ("U0CLEO", {"billing", "sre", "listed"}),
            ("U0DAN", {"sre"}),
            ("U0FINN", set()),
        ],
    )
    async def test_who_is_in_which_group(
        self, workspace: Workspace, user: str, names: set[str]
    ) -> None:
        groups = [BILLING, SRE, LISTED]
        assert await workspace.directory.groups_of(who(user), groups, about=WHOEVER) == names
        assert await workspace.directory.groups_of(who(user), [], about=WHOEVER) == frozenset()

    async def test_a_group_that_cannot_be_read_is_not_empty(self, workspace: Workspace) -> None:
        with pytest.raises(Unavailable):
            await workspace.directory.groups_of(who("U0ANNA"), [LISTED, GONE], about=WHOEVER)

    @pytest.mark.parametrize(
        ("user", "is_in"), [("U0ANNA", True), ("U0DAN", True), ("U0BEN", False)]
    )
    async def test_a_union_holds_whoever_is_in_one_of_its_parts(
        self, workspace: Workspace, user: str, *, is_in: bool
    ) -> None:
        found = await workspace.directory.groups_of(who(user), [UNION], about=WHOEVER)
        assert found == ({"union"} if is_in else set())

    async def test_a_union_with_a_part_that_cannot_be_read_is_unknown(
        self, workspace: Workspace
    ) -> None:
        union = Group(name="union", any_of=(LISTED, GONE))
        with pytest.raises(Unavailable):
            await workspace.directory.groups_of(who("U0ANNA"), [union], about=WHOEVER)

    @pytest.mark.parametrize("group", [SHRUNK, Group(name="union", any_of=(SHRUNK, LISTED))])
    async def test_a_group_with_fewer_members_than_expected_is_unknown(
        self, workspace: Workspace, group: Group
    ) -> None:
        with pytest.raises(Unavailable, match=r"shrunk has 2 members, .* 3 at least"):
            await workspace.directory.groups_of(who("U0DAN"), [group], about=WHOEVER)

    async def test_the_address_of_a_person_of_ours(self, workspace: Workspace) -> None:
        assert await workspace.directory.email(who("U0ANNA")) == "anna@acme.example"
        assert await workspace.directory.email(who("U0XENIA")) == ""
        assert await workspace.directory.email(who("U0NOBODY")) == ""
        assert await workspace.directory.email(who("U0ANNA", "T0OTHER")) == ""
        assert await workspace.directory.email(Actor(Kind.MACHINE, "U0ANNA", TEAM)) == ""

    @pytest.mark.parametrize(
        ("zone", "name"), [("Asia/Tokyo", "Asia/Tokyo"), ("", "UTC"), ("No/Where", "UTC")]
    )
    async def test_people_are_somewhere_in_time(
        self, workspace: Workspace, zone: str, name: str
    ) -> None:
        workspace.settle("U0ANNA", zone)
        told = await workspace.zones.zone(who("U0ANNA"))
        at = datetime(2026, 3, 1, tzinfo=UTC)
        assert at.astimezone(told).utcoffset() == at.astimezone(ZoneInfo(name)).utcoffset()
        assert await workspace.zones.zone(who("U0ANNA", "T0OTHER")) is UTC
        await workspace.go_away()
        with pytest.raises(Unavailable):
            await workspace.zones.zone(who("U0BEN"))

    async def test_whose_an_address_is_if_they_may_use_the_bot(self, workspace: Workspace) -> None:
        book = workspace.directory
        assert await book.person("anna@acme.example") == who("U0ANNA")
        for nobodys in ("gus@acme.example", "olga@acme.example", "nobody@acme.example", "anna", ""):
            assert await book.person(nobodys) is None
        await workspace.deactivate("U0ANNA")
        assert await book.person("anna@acme.example") is None

    @pytest.mark.parametrize("channel", USABLE)
    async def test_a_channel_that_the_bot_can_post_to(
        self, workspace: Workspace, channel: str
    ) -> None:
        assert await workspace.directory.channel_problem(channel) == ""

    @pytest.mark.parametrize("channel", UNUSABLE)
    async def test_a_channel_that_will_not_do_is_told_why(
        self, workspace: Workspace, channel: str
    ) -> None:
        assert len(await workspace.directory.channel_problem(channel)) > 10

    async def test_without_slack_nothing_is_known(self, workspace: Workspace) -> None:
        await workspace.go_away()
        for question in (
            workspace.directory.standing(who("U0ANNA")),
            workspace.directory.standing(who("U0ANNA"), fresh=True),
            workspace.directory.groups_of(who("U0ANNA"), [BILLING], about=WHOEVER),
            workspace.directory.channel_problem("#general"),
            workspace.directory.email(who("U0ANNA")),
            workspace.directory.person("anna@acme.example"),
        ):
            with pytest.raises(Unavailable):
                await question

    async def test_a_fresh_look_that_fails_is_not_answered_from_memory(
        self, workspace: Workspace
    ) -> None:
        assert await workspace.directory.standing(who("U0ANNA")) is Standing.MEMBER
        await workspace.go_away()
        with pytest.raises(Unavailable):
            await workspace.directory.standing(who("U0ANNA"), fresh=True)

    async def test_the_members_of_a_group_are_told_one_by_one(self, workspace: Workspace) -> None:
        for group, users in ((SRE, {"U0CLEO", "U0DAN"}), (LISTED, LISTED.users)):
            assert await workspace.directory.members_of(group, about=WHOEVER) == users

    async def test_a_group_that_cannot_be_read_is_unknown_and_not_empty(
        self, workspace: Workspace
    ) -> None:
        with pytest.raises(Unavailable):
            await workspace.directory.members_of(GONE, about=WHOEVER)
        await workspace.go_away()
        with pytest.raises(Unavailable):
            await workspace.directory.members_of(SRE, about=WHOEVER)
        assert await workspace.directory.members_of(LISTED, about=WHOEVER) == LISTED.users

    async def test_whoever_is_on_call_is_in_the_group(self, workspace: Workspace) -> None:
        workspace.roster("U0DAN", "U0BEN")
        directory, union = workspace.directory, Group(name="both", any_of=(ON_CALL, LISTED))
        assert await directory.members_of(ON_CALL, about=WHOEVER) == {"U0BEN", "U0DAN"}
        assert await directory.members_of(union, about=WHOEVER) == LISTED.users | {"U0BEN", "U0DAN"}
        found = await directory.groups_of(who("U0DAN"), [ON_CALL, union, LISTED], about=WHOEVER)
        assert found == {"on-call", "both"}

    async def test_a_fresh_look_sees_who_is_on_call_now(self, workspace: Workspace) -> None:
        for on_call, off in (("U0DAN", "U0BEN"), ("U0BEN", "U0DAN")):
            workspace.roster(on_call)
            for user, groups in ((on_call, {"on-call"}), (off, set())):
                found = await workspace.directory.groups_of(
                    who(user), [ON_CALL], about=WHOEVER, fresh=True
                )
                assert found == groups

    async def test_who_is_on_call_and_no_member_does_not_count(self, workspace: Workspace) -> None:
        workspace.roster("U0GUS", "U0OLGA", "U0NOBODY", "U0XENIA")
        assert await workspace.directory.members_of(ON_CALL, about=WHOEVER) == frozenset()

    async def test_when_nobody_knows_who_is_on_call_the_group_is_unknown_and_named(
        self, workspace: Workspace
    ) -> None:
        workspace.roster("U0DAN")
        other = Group(name="other", on_call=OTHER_ROTA)
        with pytest.raises(Unavailable):
            await workspace.directory.members_of(other, about=WHOEVER)
        workspace.forget_rotas()
        for group in (ON_CALL, Group(name="union", any_of=(LISTED, ON_CALL))):
            with pytest.raises(Unavailable, match="PSRE123"):
                await workspace.directory.groups_of(
                    who("U0ANNA"), [group], about=WHOEVER, fresh=True
                )

    @pytest.mark.parametrize(
        ("asks", "manager"),
        [("U0ANNA", {"U0BEN"}), ("U0DAN", {"U0CLEO"}), ("U0FINN", set()), ("U0EVA", set())],
    )
    async def test_a_manager_is_that_of_whoever_asks_and_a_member(
        self, workspace: Workspace, asks: str, manager: set[str]
    ) -> None:
        directory, about = workspace.directory, who(asks)
        assert await directory.members_of(MANAGER, about=about) == manager
        for user in ("U0BEN", "U0CLEO", "U0GUS", asks):
            found = await directory.groups_of(who(user), [MANAGER], about=about)
            assert found == ({"manager"} if user in manager else set())

    async def test_a_manager_can_be_listed(self, workspace: Workspace) -> None:
        of = {"U0ANNA": "U0CLEO", "U0DAN": "U0OLGA", "U0BEN": "U0BEN"}
        listed = Group(name="boss", manager=Manager(of=of))
        for asks, manager in (("U0ANNA", {"U0CLEO"}), ("U0DAN", set()), ("U0BEN", set())):
            assert await workspace.directory.members_of(listed, about=who(asks)) == manager
        assert await workspace.directory.members_of(listed, about=who("U0FINN")) == frozenset()

    async def test_without_slack_nobody_knows_the_manager(self, workspace: Workspace) -> None:
        await workspace.go_away()
        with pytest.raises(Unavailable):
            await workspace.directory.members_of(MANAGER, about=who("U0ANNA"))
