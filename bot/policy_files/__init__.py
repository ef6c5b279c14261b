"""Policy files: policies/*.yaml to the core's Policy, with every problem at its place."""

from bot.policy_files.candidate import examine
from bot.policy_files.cases import Case, load_cases
from bot.policy_files.folder import Folder, pack, read_folder, unpack
from bot.policy_files.load import Loaded, WrongFiles, load_folder, load_policies
from bot.policy_files.narrowing import without_scopes
from bot.policy_files.places import Place, Places
from bot.policy_files.problems import Problem
from bot.policy_files.schema import schema_text
from bot.policy_files.trials import Trial, try_case

__all__ = [
    "Case",
    "Folder",
    "Loaded",
    "Place",
    "Places",
    "Problem",
    "Trial",
    "WrongFiles",
    "examine",
    "load_cases",
    "load_folder",
    "load_policies",
    "pack",
    "read_folder",
    "schema_text",
    "try_case",
    "unpack",
    "without_scopes",
]
