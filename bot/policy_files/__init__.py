"""Policy files: policies/*.yaml to the core's Policy, with every problem at its place."""

from bot.policy_files.load import Loaded, load_policies

__all__ = ["Loaded", "load_policies"]
