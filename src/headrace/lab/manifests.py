"""The sample's manifests for a player that a router guides. Pure.

`steered` and `steered_dash` name each server as a pathway of its own, and the router as one more,
which redirects each request; the router's steering manifest says which of them to use.
`redirected`: every URL is the router's, so that each segment goes where the router says then.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import quote
from xml.sax.saxutils import escape, quoteattr

PATHWAY = "router"
_URI = re.compile(r'URI="([^"]+)"')
_GROUP = re.compile(r'(GROUP-ID|AUDIO)="([^"]+)"')


def steering_url(router: str, base: str, pathways: Mapping[str, str]) -> str:
    """Return where a player asks which pathway to take for what is at `base`, a URL's directory
    with its slash.
    """
    return f"{router}/v1/steering?url={quote(base, safe='')}&pathways={','.join(pathways)}"


def steered(master: str, base: str, router: str, pathways: Mapping[str, str]) -> str:
    """Return a multivariant playlist with content steering by `router` (HLS, RFC 8216bis section
    7.1). `pathways` has the base URL of each; the first comes first until the router is asked.
    """
    head, _, rest = master.partition("#EXT-X-MEDIA")
    rest = "#EXT-X-MEDIA" + rest
    server = steering_url(router, base, pathways)
    first = next(iter(pathways))
    parts = [head, f'#EXT-X-CONTENT-STEERING:SERVER-URI="{server}",PATHWAY-ID="{first}"\n']
    for name, url in pathways.items():
        text = _GROUP.sub(rf'\1="\2-{name}"', rest)
        for line in _absolute(text, url).splitlines():
            stream = line.startswith("#EXT-X-STREAM-INF:")
            parts.append(f'{line},PATHWAY-ID="{name}"\n' if stream else f"{line}\n")
    return "".join(parts)


def steered_dash(manifest: str, base: str, router: str, pathways: Mapping[str, str]) -> str:
    """Return an MPD with content steering (ETSI TS 103 998)."""
    first = next(iter(pathways))
    urls = "".join(
        f"<BaseURL serviceLocation={quoteattr(name)}>{escape(url)}</BaseURL>\n"
        for name, url in pathways.items()
    )
    steering = (
        f'<ContentSteering defaultServiceLocation={quoteattr(first)} queryBeforeStart="true">'
        f"{escape(steering_url(router, base, pathways))}</ContentSteering>\n"
    )
    return manifest.replace("<Period", f"{urls}{steering}<Period", 1)


def redirected(master: str, base: str) -> str:
    """Return a multivariant playlist whose playlists are the redirected ones."""
    return _absolute(master, base).replace("/media_", "/redirect_")


def redirected_media(playlist: str, base: str) -> str:
    """Return a media playlist with absolute URLs."""
    return _absolute(playlist, base)


def _absolute(playlist: str, base: str) -> str:
    lines = []
    for line in playlist.splitlines():
        if line.startswith("#"):
            lines.append(_URI.sub(lambda found: f'URI="{base}{found[1]}"', line))
        elif line.strip():
            lines.append(base + line)
    return "\n".join(lines) + "\n"
