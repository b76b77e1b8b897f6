"""Templates and the pages made of them: one Jinja environment a locale, loaded from every room's `templates/`."""

import functools
import hashlib
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlencode

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from litestar import MediaType, Request, Response
from litestar.datastructures import Cookie
from markupsafe import Markup

from kit.interface.formats import filters
from kit.interface.i18n import COOKIE, LOCALES, NAMES, ROOT, french, locale_of, translator
from kit.interface.icons import NAMES as ICONS
from kit.interface.static_files import asset

AnyRequest = Request[Any, Any, Any]
YEAR = 365 * 24 * 3600
HUES = 5


def template_folders() -> list[str]:
    """Where templates are: the kit's own, then each room's. Rooms keep theirs in a folder of their own name."""
    rooms = [*sorted(ROOT.glob("control_plane/*/templates")), *sorted(ROOT.glob("tenant_app/*/templates"))]
    return [str(path) for path in (ROOT / "kit/interface/templates", *rooms)]


@functools.cache
def icon(name: str, tone: str | None = None) -> Markup:
    """A decorative icon of the sprite; words or a label stand beside it."""
    if name not in ICONS:
        msg = f"no icon named {name!r}; see kit/interface/icons.py"
        raise LookupError(msg)
    shade = Markup(' data-tone="{}"').format(tone) if tone else Markup()
    return Markup('<svg class="icon"{} aria-hidden="true"><use href="{}#{}"/></svg>').format(
        shade, asset("icons.svg"), name
    )


def gauge(
    parts: float | Sequence[float], total: float | None, label: str, tone: str | None = None, small: bool = False
) -> Markup:
    """A meter as SVG. `parts` are amounts of `total`; the tone follows how full it is unless one is given."""
    amounts = [float(part) for part in (parts if isinstance(parts, Sequence) else [parts])]
    shares = [100 * amount / total for amount in amounts] if total else [0.0 for _ in amounts]
    full = min(100.0, sum(shares))
    tone = tone or ("bad" if full >= 100 else "warn" if full >= 90 else None)
    rects, left = Markup(), 0.0
    for share in shares:
        width = max(0.0, min(share, 100 - left))
        rects += Markup('<rect x="{}%" width="{}%" height="100%"/>').format(f"{left:.4g}", f"{width:.4g}")
        left += width
    attributes = Markup(' data-tone="{}"').format(tone) if tone else Markup()
    attributes += Markup(' data-size="s"') if small else Markup()
    return Markup(
        '<svg class="gauge"{} role="meter" aria-valuemin="0" aria-valuemax="100" aria-valuenow="{}" aria-label="{}">'
        "{}</svg>"
    ).format(attributes, round(full), label, rects)


def initials(name: str) -> str:
    """At most two capitals that stand for a name: « Ville de Saint-Aubin » → VS, « Claire Fontenay » → CF."""
    words = [word for word in name.replace("-", " ").replace("’", " ").replace("'", " ").split() if word[:1].isalnum()]
    kept = [word for word in words if word[:1].isupper() or len(words) == 1] or words
    letters = kept[0][0] + kept[-1][0] if len(kept) > 1 else (kept[0][:2] if kept else "?")
    return letters.upper()


def hue(key: object) -> int:
    """One of the avatars' five hues, always the same for the same person."""
    return hashlib.blake2s(str(key).encode(), digest_size=2).digest()[0] % HUES + 1


@functools.cache
def environment(locale: str) -> Environment:
    """The environment of one locale: undefined names are errors, everything is escaped."""
    made = Environment(
        loader=FileSystemLoader(template_folders()),
        autoescape=True,
        undefined=StrictUndefined,
        extensions=["jinja2.ext.i18n", "jinja2.ext.do"],
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
        cache_size=-1,
    )
    words = translator(locale)
    made.policies["ext.i18n.trimmed"] = True
    made.install_gettext_callables(words.gettext, words.ngettext, newstyle=True)  # type: ignore[attr-defined]
    made.globals.update(
        icon=icon,
        icon_svg=icon,
        gauge_svg=gauge,
        asset=asset,
        initials=initials,
        hue=hue,
        locale=locale,
        words=words.words,
        locale_names=NAMES,
    )
    # For words that come from a database: what our catalogues have is set already.
    made.filters.update(filters(locale), typeset=french if locale == "fr" else str)
    return made


def engine(locale: str = "en") -> Environment:
    """The Jinja environment of a locale, for whoever renders without a request (mails, fragments)."""
    return environment(locale)


def render(locale: str, template: str, **context: Any) -> str:
    """A template as text."""
    return environment(locale).get_template(template).render(**context)


def _address_in(request: AnyRequest, locale: str) -> str:
    """The same page in another language."""
    kept = [(key, value) for key, value in request.query_params.multi_items() if key != "lang"]
    return "?" + urlencode([*kept, ("lang", locale)])


def page(
    request: AnyRequest,
    template: str,
    *,
    status: int = 200,
    locale: str | None = None,
    headers: dict[str, str] | None = None,
    cookies: Sequence[Cookie] = (),
    **context: Any,
) -> Response[str]:
    """A page in the reader's language; `locale` is a signed-in person's own choice, if there is one.

    Every template also sees `locale`, `other_locale`, `other_locale_url`, `path` and `csrf` (the context's, or empty).
    """
    chosen = locale_of(request, locale)
    other = next(name for name in LOCALES if name != chosen)
    whole = {
        "csrf": "",
        "path": request.url.path,
        "other_locale": other,
        "other_locale_url": _address_in(request, other),
        **context,
    }
    kept = list(cookies)
    if request.query_params.get("lang") == chosen:
        kept.append(Cookie(key=COOKIE, value=chosen, path="/", max_age=YEAR, samesite="lax", httponly=True))
    return Response(
        render(chosen, template, **whole),
        status_code=status,
        media_type=MediaType.HTML,
        headers={"Content-Language": chosen, "Vary": "Accept-Language, Cookie", **(headers or {})},
        cookies=kept,
    )
