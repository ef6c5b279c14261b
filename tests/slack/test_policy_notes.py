"""What operators read about the policy files."""

from bot.core.differences import Differences
from bot.core.known import Failure
from bot.slack.mrkdwn import SECTION_TEXT
from bot.slack.policy_notes import changed_note, failed_note, mended_note, refused_note

OLD, NEW = "a" * 64, "b" * 64
PROBLEM = "policies/rules.yaml:36:18: rules[0].requesters[0]: there is no group 'enginers'"
NOTHING = Differences(bundles=(), rules=(), groups=())


def text(note):
    [block] = note.blocks
    return block["text"]["text"]


def test_the_first_problems_are_told_with_their_places_as_they_are():
    note = refused_note([PROBLEM] * 8, in_force=OLD)
    assert text(note).count(f"`{PROBLEM}`") == 5
    assert "and 3 more" in text(note)
    assert "`aaaaaaaaaaaa` of before goes on" in text(note)


def test_what_a_file_says_can_neither_mention_nor_break_the_message():
    note = refused_note(["<!channel> `x` " + "y" * 5000] * 9, in_force=OLD)
    assert "<!channel>" not in text(note)
    assert "<!channel>" not in note.text
    assert len(text(note)) <= SECTION_TEXT


def test_a_change_names_what_differs():
    found = Differences(bundles=("read",), rules=tuple("abcdefg"), groups=())
    told = text(changed_note(found, old=OLD, new=NEW))
    assert "`aaaaaaaaaaaa` → `bbbbbbbbbbbb`" in told
    assert "1 bundle (`read`), 7 rules (`a`, `b`, `c`, `d`, `e`, 2 more)." in told
    assert "Only its order or its limits" in text(changed_note(NOTHING, old=OLD, new=NEW))
    assert "the same" in text(changed_note(NOTHING, old=OLD, new=OLD))


def test_what_is_mended_names_what_is_in_force():
    assert "In force is `bbbbbbbbbbbb`" in text(mended_note(in_force=NEW))


def test_a_condition_that_fails_is_told_with_whose_it_is_its_place_and_what_counted():
    why = "`bundle.labels.owner == 'x'`: it cannot be evaluated"
    told = text(failed_note(Failure(one="rule late", where="policies/rules.yaml:5", why=why)))
    assert "that of `rule late` (`policies/rules.yaml:5`)." in told
    assert "bundle.labels.owner == 'x'" in told
    assert "a rule denies, a guardrail holds" in told
    long = failed_note(Failure(one="rule late", where="", why="<!channel> " + "y" * 5000))
    assert "<!channel>" not in text(long)
    assert len(text(long)) <= SECTION_TEXT
