"""Whether files may come into force: they are right, and every case in tests/ gets what it must."""

from bot.policy_files.cases import cases_in
from bot.policy_files.folder import Folder
from bot.policy_files.load import Loaded, WrongFiles, load_folder
from bot.policy_files.trials import try_case


def examine(folder: Folder, *, default_resource: str) -> Loaded:
    """Return what `folder` says, if it may come into force.

    Args:
        default_resource: See `load_policies`.

    Raises:
        WrongFiles, Misconfigured: See `load_policies`; also with each case that fails.
    """
    loaded = load_folder(folder, default_resource=default_resource)
    cases = cases_in(folder, loaded.policy)
    failures = [failure for case in cases for failure in try_case(case, loaded.policy).failures]
    if failures:
        raise WrongFiles(*sorted(failures))
    return loaded
