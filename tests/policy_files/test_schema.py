"""The schema for editors says what the models say."""

import json

from bot.policy_files.schema import schema_text

SCHEMA = json.loads(schema_text())


def test_unknown_keys_are_marked_everywhere():
    objects = [SCHEMA, *SCHEMA["$defs"].values()]
    assert all(each["additionalProperties"] is False for each in objects)


def test_a_duration_is_a_text_and_a_risk_one_of_four_words():
    bundle = SCHEMA["$defs"]["Bundle"]["properties"]
    assert bundle["max_duration"]["type"] == "string"
    assert bundle["risk"] == {"enum": ["low", "medium", "high", "critical"]}
    assert "title" in bundle
    assert "default" not in bundle["reason_min"]


def test_all_sections_are_there():
    assert set(SCHEMA["properties"]) == {
        "version",
        "admin_channel",
        "defaults",
        "groups",
        "windows",
        "chains",
        "bundles",
        "rules",
        "guardrails",
        "clients",
        "resources",
    }


def test_what_a_rule_needs_is_said():
    assert SCHEMA["$defs"]["Rule"]["required"] == ["id", "bundles", "decision"]
    assert SCHEMA["$defs"]["Window"]["required"] == ["tz"]
