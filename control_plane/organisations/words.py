"""Addresses that no customer gets: our own doors, names that people trust blindly, and names that software expects."""

WORDS = """
    parvis admin administrateur administrator api app apps assets auth autoconfig autodiscover billing blog board
    bonjour cdn cell cells chat cloud compte comptes conformite console contact dashboard demo dev developer dns doc
    docs download downloads drive edge email facturation files forum ftp git grafana health help hello helpdesk
    help-desk home host hostmaster idp imap info install intranet isatap kibana legal licence list lists live local
    localhost login logout mail mailer mailer-daemon mails media metrics mobile monitoring news newsletter noc
    no-reply noreply ns ns1 ns2 ns3 oauth office oidc ops organisation owa parvis-admin parvis-support pay payment
    paiement ping pop pop3 portail portal postmaster preprod preview privacy prod production prometheus proxy public
    register registry relay rgpd root saml scim secure securite security server service services shop signin sign-in
    signup sign-up site smtp sso staff staging stage static stats status store support system team test tests token
    tracker trust update upload uploads url usenet user users video visio vpn webmail webmaster wiki workspace
    workspaces wpad www www1 www2 xmpp
    ants caf cnil cpam dgfip elysee franceconnect gendarmerie gouv gouvernement impots matignon police prefecture
    republique-francaise senat urssaf anssi
"""
RESERVED = frozenset(WORDS.split())
