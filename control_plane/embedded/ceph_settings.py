"""What a one-node Ceph on loopback is told: its `ceph.conf`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

CLUSTER = """\
[global]
fsid = {fsid}
mon_host = v2:127.0.0.1:{mon_port}
public_addr = 127.0.0.1
cluster_addr = 127.0.0.1
ms_bind_msgr1 = false
# Inside the cluster nobody signs in: it listens on loopback only. A gateway then also needs the crc modes, without
# which it tries for ever.
auth_cluster_required = none
auth_service_required = none
auth_client_required = none
ms_mon_cluster_mode = crc
ms_mon_service_mode = crc
ms_mon_client_mode = crc
keyring = {folder}/keyring
run_dir = {folder}
crash_dir = {folder}
admin_socket = ""
# Each daemon tells its standard error, which goes to one log of the product.
log_file = ""
log_to_stderr = true
err_to_stderr = true
mon_cluster_log_to_file = false
debug_rocksdb = 0
# One disk, one copy.
osd_pool_default_size = 1
osd_pool_default_min_size = 1
osd_pool_default_pg_num = 4
osd_pool_default_pgp_num = 4
osd_pool_default_pg_autoscale_mode = off
osd_crush_chooseleaf_type = 0
osd_crush_initial_weight = 1
mon_allow_pool_size_one = true
mon_allow_pool_delete = true
mon_max_pg_per_osd = 10000

[mon]
mon_data = {folder}/mon
mon_memory_target = 268435456
mon_data_avail_warn = 1
mon_data_avail_crit = 0
mon_warn_on_pool_no_redundancy = false
mon_warn_on_insecure_global_id_reclaim_allowed = false
paxos_propose_interval = 0.02
paxos_min_wait = 0.01

[osd]
osd_data = {folder}/osd
osd_objectstore = bluestore
osd_memory_target = 939524096
osd_op_num_shards = 2
osd_op_num_threads_per_shard = 2
osd_max_pg_log_entries = 500
osd_min_pg_log_entries = 100
bluestore_block_size = {size}
bluestore_fsck_on_mkfs = false
# Newer versions measure a disk for seconds before it serves.
osd_mclock_skip_benchmark = true
# A disk that stood still for longer than its lease (this times 20 s; 16 s by default) lets requests wait until another
# disk answers for it, and here is no other: they would hang for ever. Nobody else can have written; so it is a day.
osd_pool_default_read_lease_ratio = 4320
# Gateways tell one another what changes and wait for all that listen: also, with the usual half minute, for a dead one.
osd_client_watch_timeout = 8

[client]
objecter_tick_interval = 2
rgw_enable_apis = s3, admin
rgw_thread_pool_size = 64
rgw_rados_pool_pg_num_min = 4
rgw_dynamic_resharding = false
# With the usual ten minutes, each gateway lets an organisation have its whole quota before it looks again.
rgw_bucket_quota_ttl = 0
rgw_enable_usage_log = true
rgw_usage_log_tick_interval = 1
rgw_usage_log_flush_threshold = 1
# One worker does: several wait for one another, also when the gateway should end.
rgw_lc_max_worker = 1
rgw_gc_obj_min_wait = 5
rgw_gc_processor_period = 10
rgw_gc_processor_max_time = 10
# Its lines about each request hold whole signed addresses.
debug_rgw = 0/5
debug_rgw_access = 0/5
"""

GATEWAY = """
[client.rgw.{number}]
rgw_data = {folder}/gateway-{number}
rgw_frontends = beast {endpoint} tcp_nodelay=1
"""

# The last resort for uploads that ask for a key over plain HTTP: such a key never comes from the client.
KEYS = """\
rgw_crypt_require_ssl = {require_tls}
rgw_crypt_s3_kms_backend = vault
rgw_crypt_vault_auth = token
rgw_crypt_vault_token_file = {token_file}
rgw_crypt_vault_addr = {address}
rgw_crypt_vault_secret_engine = kv
rgw_crypt_vault_prefix = /v1/secret/data
"""


@dataclass(frozen=True)
class KeyService:
    """Where gateways ask for organisations' data keys (as of Vault's kv, version 2), and the token they show there."""

    address: str
    token_file: Path


def configuration(
    folder: Path, drawn: Mapping[str, Any], gateways: Sequence[str], keys: KeyService | None, *, tls: bool
) -> str:
    """The whole `ceph.conf`; a gateway is given by what it listens on, in words of its frontend."""
    text = CLUSTER.format(folder=folder, **drawn)
    if keys is not None:
        require = "true" if tls else "false"
        text += KEYS.format(address=keys.address, token_file=keys.token_file, require_tls=require)
    for number, endpoint in enumerate(gateways):
        text += GATEWAY.format(folder=folder, number=number, endpoint=endpoint)
    return text
