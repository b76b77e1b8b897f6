"""Mail domains that say little about an organisation. They are a reason to look, never to refuse."""

# Mailboxes for a few minutes.
_DISPOSABLE = """
    10minutemail.com 33mail.com burnermail.io discard.email dispostable.com emailondeck.com fakeinbox.com fakemail.net
    getairmail.com getnada.com grr.la guerrillamail.com guerrillamail.info guerrillamail.net guerrillamail.org
    inboxkitten.com jetable.fr jetable.org mail-temporaire.fr mailcatch.com maildrop.cc mailinator.com mailnesia.com
    mailsac.com mintemail.com moakt.com mohmal.com mytemp.email nada.email sharklasers.com spamgourmet.com temp-mail.io
    temp-mail.org tempail.com tempmail.com tempmail.dev tempmailo.com tempr.email throwawaymail.com trash-mail.com
    trashmail.com trashmail.de tutamail.tmp yopmail.com yopmail.fr yopmail.net
"""

# Where anybody can have a mailbox.
_PUBLIC = """
    aol.com bbox.fr free.fr gmail.com gmx.com gmx.fr googlemail.com hotmail.com hotmail.fr icloud.com laposte.net
    live.com live.fr mac.com me.com msn.com neuf.fr numericable.fr orange.fr outlook.com outlook.fr pm.me proton.me
    protonmail.com sfr.fr tutanota.com wanadoo.fr yahoo.com yahoo.fr ymail.com
"""

DISPOSABLE = frozenset(_DISPOSABLE.split())
PUBLIC = frozenset(_PUBLIC.split())


def domain_of(email: str) -> str:
    """What stands after the @, in lower case."""
    return email.rpartition("@")[2].lower()


def is_within(domain: str, domains: frozenset[str]) -> bool:
    """Whether a domain is one of these, or a part of one."""
    parts = domain.split(".")
    return any(".".join(parts[n:]) in domains for n in range(len(parts) - 1))
