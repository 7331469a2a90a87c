"""Check that every link between the Markdown files of the project leads somewhere.

A link to a file needs the file, a link to a heading needs the heading, as GitHub names them. Addresses on the web are
left alone.
"""

import re
import subprocess
import sys
from pathlib import Path
from urllib.parse import unquote

ROOT = Path(__file__).resolve().parent.parent
LINK = re.compile(r"!?\[[^\]]*\]\(\s*<?([^)\s>]+)>?(?:\s+\"[^\"]*\")?\s*\)")
REFERENCE = re.compile(r"^\[[^\]]+\]:\s+<?(\S+?)>?\s*$", re.MULTILINE)
IMAGE = re.compile(r"<(?:img|a|source)\s[^>]*(?:src|href|srcset)=\"([^\"]+)\"")
FENCE = re.compile(r"^(```|~~~).*?^\1[ \t]*$", re.MULTILINE | re.DOTALL)
INLINE = re.compile(r"(`+)(?:(?!\1).)+?\1", re.DOTALL)
HEADING = re.compile(r"^#{1,6}\s+(.+?)\s*#*$", re.MULTILINE)
ANCHOR = re.compile(r"<a\s+(?:id|name)=\"([^\"]+)\"")


def main() -> int:
    """Check every Markdown file that git knows or would take.

    Returns:
        The exit code: 1 if a link leads nowhere.
    """
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "*.md"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    ).stdout.splitlines()
    files = [ROOT / name for name in listed if (ROOT / name).exists()]
    broken, links = [], 0
    for path in files:
        text = FENCE.sub("", path.read_text())
        for target in targets(text):
            links += 1
            reason = trouble(path, target)
            if reason:
                broken.append(f"{path.relative_to(ROOT)}: {target}: {reason}")
    print("\n".join(broken), file=sys.stderr, end="\n" if broken else "")
    print(f"Links: {links} in {len(files)} files, {len(broken)} broken")
    return 1 if broken else 0


def targets(text: str) -> list[str]:
    """Where the links of a Markdown text lead, addresses on the web left out."""
    text = INLINE.sub("", text)
    found = [m for pattern in (LINK, REFERENCE, IMAGE) for m in pattern.findall(text)]
    return [target for target in found if not re.match(r"[a-z][a-z0-9+.-]*:", target)]


def trouble(path: Path, target: str) -> str | None:
    """Why a link leads nowhere, or None if it leads somewhere."""
    name, _, heading = unquote(target).partition("#")
    if name.startswith("/"):
        return "a link between files is relative"
    there = (path.parent / name).resolve() if name else path
    if not there.is_relative_to(ROOT):
        return "leads out of the project"
    if not there.exists():
        return "no such file"
    if heading and there.suffix == ".md" and heading not in anchors(there.read_text()):
        return "no such heading"
    return None


def anchors(text: str) -> set[str]:
    """The names that a Markdown text's headings can be linked by."""
    names: set[str] = set(ANCHOR.findall(text))
    counts: dict[str, int] = {}
    for title in HEADING.findall(FENCE.sub("", text)):
        plain = re.sub(r"!?\[([^\]]*)\]\([^)]*\)", r"\1", title)
        slug = re.sub(r"[^\w\- ]", "", plain.lower()).replace(" ", "-")
        number = counts.get(slug, 0)
        names.add(f"{slug}-{number}" if number else slug)
        counts[slug] = number + 1
    return names


if __name__ == "__main__":
    sys.exit(main())
