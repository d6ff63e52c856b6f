"""A person's account on a site: user and API key from the environment or the config folder, never from a project."""

import os
import tomllib

from lorasmith.errors import UsageError
from lorasmith.folders import config_folder


def account_for(site: str) -> tuple[str, str]:
    """Gives (user, API key) for a site, both empty where none is set.

    Looked for in LORASMITH_<SITE>_USER and LORASMITH_<SITE>_KEY, then in `accounts.toml` of the config folder, which
    has one table per site with `user` and `api_key`. Raises `UsageError` when that file is not valid TOML.
    """
    word = site.upper()
    user, key = os.environ.get(f"LORASMITH_{word}_USER", ""), os.environ.get(f"LORASMITH_{word}_KEY", "")
    if user or key:
        return user, key
    file = config_folder() / "accounts.toml"
    if not file.is_file():
        return "", ""
    if os.name == "posix" and file.stat().st_mode & 0o077:
        file.chmod(0o600)  # a key that others can read is no secret
    try:
        table = tomllib.loads(file.read_text(encoding="utf-8-sig")).get(site, {})
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{file} is not valid TOML; correct it, or remove it to go without an account.") from error
    if not isinstance(table, dict):
        raise UsageError(f"{file} needs a table [{site}] with user and api_key, not a single value.")
    return str(table.get("user", "")), str(table.get("api_key", ""))
