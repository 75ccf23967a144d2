"""pip's settings in uv's words, so that a studio's mirror, proxy and certificates count for both.

What uv is told in its own variables wins; what has no equal in uv is left out.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Mapping

_VARIABLES = {
    "index-url": "UV_DEFAULT_INDEX",
    "extra-index-url": "UV_INDEX",
    "find-links": "UV_FIND_LINKS",
    "cert": "SSL_CERT_FILE",
    "proxy": "ALL_PROXY",
    "trusted-host": "UV_INSECURE_HOST",
    "timeout": "UV_HTTP_TIMEOUT",
}
_OLDER_NAMES = {"UV_DEFAULT_INDEX": "UV_INDEX_URL", "UV_INDEX": "UV_EXTRA_INDEX_URL"}
_SEPARATORS = {"find-links": ","}
_LISTED = re.compile(r"(?P<section>global|install|:env:)\.(?P<name>[a-z-]+)=(?P<value>'.*'|\".*\")")


def pip_settings(listing: Iterable[str]) -> dict[str, str]:
    """Read what `pip config list` prints; later lines (the environment's) win over earlier ones."""
    found = (_LISTED.fullmatch(line.strip()) for line in listing)
    return {_plain(match["name"]): ast.literal_eval(match["value"]) for match in found if match}


def pip_variables(environment: Mapping[str, str]) -> dict[str, str]:
    """Read pip's environment variables, for a machine whose pip cannot be asked."""
    named = ((name[4:].lower().replace("_", "-"), value) for name, value in environment.items() if name[:4] == "PIP_")
    return {_plain(name): value for name, value in named}


def uv_variables(pip: Mapping[str, str], environment: Mapping[str, str]) -> dict[str, str]:
    """Return the variables that tell uv what pip has been told and uv has not."""
    told = {}
    for name, variable in _VARIABLES.items():
        is_set = environment.get(variable) or environment.get(_OLDER_NAMES.get(variable, variable))
        if pip.get(name, "").split() and not is_set:
            told[variable] = _SEPARATORS.get(name, " ").join(pip[name].split())
    if "UV_INDEX" in told and "UV_INDEX_STRATEGY" not in environment:
        # pip looks into all of its indexes, uv only into the first that knows the name.
        told["UV_INDEX_STRATEGY"] = "unsafe-best-match"
    return told


def _plain(name: str) -> str:
    return name.removeprefix("default-")  # pip calls it PIP_DEFAULT_TIMEOUT, too
