"""The organisation's own console: domains, sign-in, provisioning. Its pages come with enterprise identity."""
