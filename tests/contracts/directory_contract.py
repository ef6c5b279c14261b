"""What every Directory promises, told of the demo workspace. Fixture `workspace`."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import pytest

from bot.core.errors import Unavailable
from bot.core.identity import Actor, Kind, person
from bot.core.policy import Group
from bot.usecases.ports import Directory, Standing

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
USABLE = ("#general", "#access-requests", "C0ACCESS", "#security-approvals", "C0SECURITY")
UNUSABLE = ("#hidden", "C0SECRET", "#partners", "C0PARTNERS", "#nowhere", "C0NOWHERE")


@dataclass(frozen=True, kw_only=True)
class Workspace:
    """The demo workspace, as one directory sees it.

    Attributes:
        deactivate: Closes the account of a user id.
        go_away: From then on Slack does not answer.
    """

    directory: Directory
    deactivate: Callable[[str], Awaitable[None]]
    go_away: Callable[[], Awaitable[None]]


def who(user: str, home: str = TEAM) -> Actor:
    return person(user, home=home)


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
            assert await workspace.directory.groups_of(twin, [LISTED, BILLING]) == frozenset()

    async def test_a_program_is_no_member(self, workspace: Workspace) -> None:
        program = Actor(Kind.MACHINE, "U0ANNA", TEAM)
        assert await workspace.directory.standing(program) is Standing.BOT
        assert await workspace.directory.groups_of(program, [LISTED]) == frozenset()

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
        assert await workspace.directory.groups_of(who(user), groups) == names
        assert await workspace.directory.groups_of(who(user), []) == frozenset()

    async def test_a_group_that_cannot_be_read_is_not_empty(self, workspace: Workspace) -> None:
        with pytest.raises(Unavailable):
            await workspace.directory.groups_of(who("U0ANNA"), [LISTED, GONE])

    @pytest.mark.parametrize(
        ("user", "is_in"), [("U0ANNA", True), ("U0DAN", True), ("U0BEN", False)]
    )
    async def test_a_union_holds_whoever_is_in_one_of_its_parts(
        self, workspace: Workspace, user: str, *, is_in: bool
    ) -> None:
        found = await workspace.directory.groups_of(who(user), [UNION])
        assert found == ({"union"} if is_in else set())

    async def test_a_union_with_a_part_that_cannot_be_read_is_unknown(
        self, workspace: Workspace
    ) -> None:
        union = Group(name="union", any_of=(LISTED, GONE))
        with pytest.raises(Unavailable):
            await workspace.directory.groups_of(who("U0ANNA"), [union])

    @pytest.mark.parametrize("group", [SHRUNK, Group(name="union", any_of=(SHRUNK, LISTED))])
    async def test_a_group_with_fewer_members_than_expected_is_unknown(
        self, workspace: Workspace, group: Group
    ) -> None:
        with pytest.raises(Unavailable, match=r"shrunk has 2 members, .* 3 at least"):
            await workspace.directory.groups_of(who("U0DAN"), [group])

    async def test_the_address_of_a_person_of_ours(self, workspace: Workspace) -> None:
        assert await workspace.directory.email(who("U0ANNA")) == "anna@acme.example"
        assert await workspace.directory.email(who("U0XENIA")) == ""
        assert await workspace.directory.email(who("U0NOBODY")) == ""
        assert await workspace.directory.email(who("U0ANNA", "T0OTHER")) == ""
        assert await workspace.directory.email(Actor(Kind.MACHINE, "U0ANNA", TEAM)) == ""

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
            workspace.directory.groups_of(who("U0ANNA"), [BILLING]),
            workspace.directory.channel_problem("#general"),
            workspace.directory.email(who("U0ANNA")),
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
            assert await workspace.directory.members_of(group) == users

    async def test_a_group_that_cannot_be_read_is_unknown_and_not_empty(
        self, workspace: Workspace
    ) -> None:
        with pytest.raises(Unavailable):
            await workspace.directory.members_of(GONE)
        await workspace.go_away()
        with pytest.raises(Unavailable):
            await workspace.directory.members_of(SRE)
        assert await workspace.directory.members_of(LISTED) == LISTED.users
