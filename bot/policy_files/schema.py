"""The JSON Schema of policy files, by which editors complete and check what is typed.

The models are the one source; `jit policy schema` writes what follows from them, and a test sees
to it that the file that we ship is not older. Source: json-schema.org/draft/2020-12.
"""

import json
from typing import Any, Final

from pydantic import Field

from bot.policy_files.chain_documents import Chain
from bot.policy_files.client_documents import Client, Resource
from bot.policy_files.documents import (
    Bundle,
    Defaults,
    Document,
    Guardrail,
    Rule,
    Window,
)
from bot.policy_files.group_documents import Group
from bot.policy_files.kinds import Name, Uri

# Where editors find it: the first line of a policy file names it, seen from that file.
SCHEMA_FILE: Final = ".schema/policy.schema.json"
_DRAFT: Final = "https://json-schema.org/draft/2020-12/schema"


class PolicyFile(Document):
    """A policy file of the bot: any of the sections, which all files together share."""

    defaults: Defaults | None = None
    groups: dict[Name, Group] = Field(default_factory=dict)
    windows: dict[Name, Window] = Field(default_factory=dict)
    chains: dict[Name, Chain] = Field(default_factory=dict)
    bundles: dict[Name, Bundle] = Field(default_factory=dict)
    rules: list[Rule] = Field(default_factory=list)
    guardrails: list[Guardrail] = Field(default_factory=list)
    clients: dict[Name, Client] = Field(default_factory=dict)
    resources: dict[Uri, Resource] = Field(default_factory=dict)


def schema_text() -> str:
    """Return the schema as it is written to SCHEMA_FILE."""
    schema = {"$schema": _DRAFT, **_bare(PolicyFile.model_json_schema())}
    return json.dumps(schema, indent=2) + "\n"


def _bare(schema: dict[str, Any]) -> dict[str, Any]:
    """Return the schema without titles, which only repeat the keys, and without defaults.

    Defaults are those of the models, which write a duration or a time of day in another way.
    """
    found = {
        key: value
        for key, value in schema.items()
        if key != "default" and not (key == "title" and isinstance(value, str))
    }
    return {key: _bare_part(value) for key, value in found.items()}


def _bare_part(part: Any) -> Any:
    if isinstance(part, dict):
        return _bare(part)
    return [_bare_part(each) for each in part] if isinstance(part, list) else part
