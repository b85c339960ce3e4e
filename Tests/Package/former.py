"""Builds the package like an earlier version, in which nginx's files were conffiles that operators had to edit."""

import re
import subprocess
from pathlib import Path

PROJECT = Path(__file__).parents[2]
NGINX = PROJECT / "nginx"
# The earlier version's files, and the current file with their contents.
FILES = {
    "etc/nginx/conf.d/lps-http.conf": "http.conf",
    "etc/nginx/conf.d/lps-codec-http.conf": None,
    "etc/nginx/snippets/lps.conf": "server.conf",
    "etc/nginx/snippets/lps-codec.conf": "codec.conf",
    "etc/nginx/snippets/lps-s3.conf": "s3.conf",
    "etc/nginx/snippets/lps-s3-http.conf": "s3-http.conf",
}
POSTINST = """#!/bin/sh
set -e
lps init --store /var/lib/lps --owner www-data:www-data
systemctl daemon-reload
systemctl enable --quiet --now lps.target
"""


def expanded(text: str) -> str:
    """The text with the files it includes inserted."""

    def included(match: re.Match[str]) -> str:
        folder, name = match[1].rsplit("/", 1)
        return expanded((NGINX / ("etc" if folder == "/etc/lps/nginx" else ".") / name).read_text())

    return re.sub(r"^ *include ((?:lps|/etc/lps/nginx)/[a-z0-9-]+\.conf);$", included, text, flags=re.MULTILINE)


def build(package: Path, folder: Path, file: Path) -> None:
    """Builds the earlier version from the current package, in `folder`, as `file`."""
    subprocess.run(["dpkg-deb", "--raw-extract", package, folder], check=True)
    control = folder / "DEBIAN/control"
    control.write_text(re.sub(r"^Version: .*$", "Version: 0.1", control.read_text(), flags=re.MULTILINE))
    subprocess.run(["rm", "--recursive", folder / "etc/nginx", folder / "usr/share/lps/nginx"], check=True)
    texts = {name: expanded((NGINX / today).read_text()) if today else "# Nothing.\n" for name, today in FILES.items()}
    texts["etc/default/lps"] = (folder / "usr/share/lps/settings").read_text()
    texts["etc/nginx/sites-available/lps"] = expanded(
        (NGINX / "site.conf").read_text().replace("include lps/server.conf;", "include snippets/lps.conf;")
    )
    for name, text in texts.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    (folder / "DEBIAN/conffiles").write_text("".join(f"/{name}\n" for name in texts))
    for script in ("preinst", "postrm", "prerm"):
        (folder / "DEBIAN" / script).unlink(missing_ok=True)
    (folder / "DEBIAN/postinst").write_text(POSTINST)
    (folder / "DEBIAN/postinst").chmod(0o755)
    subprocess.run(["dpkg-deb", "--root-owner-group", "--build", "-Znone", folder, file], check=True)
