"""Names that may be claimed as an organisation's mail domain: not where anybody has a mailbox, not a registry's own."""

import functools
import re

from publicsuffixlist import PublicSuffixList

from kit.domains import ascii_domain
from kit.errors import Refusal

# Where anybody can have a mailbox.
_PUBLIC = """
    126.com 163.com aim.com alice.it aliceadsl.fr aol.com aol.fr arcor.de att.net bbox.fr bell.net bigpond.com
    bluewin.ch blueyonder.co.uk btinternet.com caramail.com cegetel.net charter.net club-internet.fr comcast.net
    cox.net duck.com fastmail.com fastmail.fm foxmail.com free.fr freenet.de gandi.net gmail.com gmx.at gmx.ch
    gmx.com gmx.de gmx.fr gmx.net googlemail.com hey.com hispeed.ch hotmail.ca hotmail.co.uk hotmail.com hotmail.de
    hotmail.es hotmail.fr hotmail.it hushmail.com icloud.com iname.com inbox.com kolabnow.com laposte.net libero.it
    live.be live.co.uk live.com live.fr live.nl mac.com mail.com mail.fr mail.ru mailbox.org mailfence.com mailo.com
    me.com microsoft.com msn.com naver.com netcourrier.com neuf.fr noos.fr nordnet.fr ntlworld.com numericable.fr
    online.fr onmicrosoft.com ono.com optonline.net orange.be orange.fr outlook.be outlook.com outlook.de outlook.es
    outlook.fr outlook.it ovh.fr pm.me posteo.de posteo.net proton.me protonmail.ch protonmail.com qq.com rambler.ru
    rediffmail.com riseup.net rocketmail.com rogers.com runbox.com sbcglobal.net seznam.cz sfr.fr shaw.ca sina.com
    sky.com skynet.be sympatico.ca t-online.de talktalk.net telefonica.net telenet.be terra.com.br terra.es tin.it
    tiscali.it tuta.com tuta.io tutanota.com tutanota.de uol.com.br verizon.net virgilio.it virgin.net
    virginmedia.com vodafone.it voila.fr wanadoo.fr web.de wp.pl xs4all.nl yahoo.ca yahoo.co.in yahoo.co.jp
    yahoo.co.uk yahoo.com yahoo.com.br yahoo.de yahoo.es yahoo.fr yahoo.it yandex.com yandex.ru ymail.com zaclys.net
    zoho.com zoho.eu zohomail.com
"""
PUBLIC = frozenset(_PUBLIC.split())
# Names that no public name server answers for.
RESERVED = frozenset({"localhost", "local", "internal", "invalid", "onion", "arpa", "home", "lan", "corp"})
LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
LONGEST = 253 - len("_parvis-challenge.")


def check_domain_name(given: str) -> str:
    """The name as DNS has it, in lower case; refused if it is none, or nobody's own."""
    name = _ascii(given)
    labels = name.split(".")
    if len(labels) < 2 or len(name) > LONGEST or not all(LABEL.fullmatch(label) for label in labels):
        raise _refusal("domain_invalid", "“{domain}” is not a mail domain such as acme.example.", given)
    if labels[-1].isdigit() or labels[-1] in RESERVED:
        raise _refusal("domain_invalid", "“{domain}” is not a mail domain such as acme.example.", given)
    if name in PUBLIC:
        message = (
            "Anybody can have a mailbox at {domain}, so it belongs to no organisation. Claim a domain of your own."
        )
        raise _refusal("domain_public", message, name)
    if is_public_suffix(name):
        message = (
            "{domain} is a public suffix: below it, everybody registers names of their own. "
            "Claim the one that is yours, such as acme.{domain}."
        )
        raise _refusal("domain_suffix", message, name)
    return name


def _ascii(given: str) -> str:
    return ascii_domain(given.strip().removeprefix("@").rstrip("."))


@functools.cache
def _suffixes() -> PublicSuffixList:
    """The list of publicsuffix.org as of the locked version: registries, and hosts that let anybody have a name."""
    return PublicSuffixList()


def is_public_suffix(name: str) -> bool:
    """Whether everybody may register below it."""
    return bool(_suffixes().is_public(name))


def domain_of(email: str) -> str:
    """What stands after the @, as names are compared."""
    return _ascii(email.rpartition("@")[2])


def _refusal(code: str, message: str, domain: str) -> Refusal:
    return Refusal(code, message, field="name", domain=domain.strip()[:100])
