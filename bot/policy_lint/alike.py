"""People who are alike: those that the same groups list, of the groups that a bundle reads."""

from collections.abc import Iterable, Sequence

from bot.core.policy import Group


class Alike:
    """Numbers for people; 0 is for everybody that none of the groups lists.

    Args:
        groups: Those that are read.
    """

    def __init__(self, groups: Iterable[Group]) -> None:
        lists = {part.users for group in groups for part in group.parts() if part.users}
        listing: dict[str, frozenset[frozenset[str]]] = {}
        for users in lists:
            for user in users:
                listing[user] = listing.get(user, frozenset()) | {users}
        self._numbers: dict[frozenset[frozenset[str]], int] = {}
        self._somebody = [""]
        self._number_of: dict[str, int] = {}
        for user, listed in sorted(listing.items()):
            if listed not in self._numbers:
                self._numbers[listed] = len(self._somebody)
                self._somebody.append(user)
            self._number_of[user] = self._numbers[listed]

    @property
    def most(self) -> int:
        """The largest number."""
        return len(self._somebody) - 1

    def numbers_in(self, group: Group) -> Sequence[int]:
        """Return the numbers of the people that `group` lists; it is one that was given."""
        return [number for listed, number in self._numbers.items() if group.users in listed]

    def number_of(self, user: str) -> int:
        """Return the number of `user`."""
        return self._number_of.get(user, 0)

    def somebody(self, number: int) -> str:
        """Return one of those who have `number`; "" for 0."""
        return self._somebody[number]
