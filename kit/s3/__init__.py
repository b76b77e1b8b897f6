"""S3 as the product speaks it: path style, Signature Version 4, one bucket an organisation, keys that are ids."""

from kit.s3.bucket import Allowed, Bucket, Encryption
from kit.s3.client import Client
from kit.s3.dialect import Failure, Listed, Part, Seen, Unfinished
from kit.s3.signing import LONGEST_SECONDS, UNSIGNED, Signer

__all__ = [
    "LONGEST_SECONDS",
    "UNSIGNED",
    "Allowed",
    "Bucket",
    "Client",
    "Encryption",
    "Failure",
    "Listed",
    "Part",
    "Seen",
    "Signer",
    "Unfinished",
]
