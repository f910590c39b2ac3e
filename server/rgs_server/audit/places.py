"""Which place RGS_AUDIT_PLACE names."""

from __future__ import annotations

from pathlib import Path

from rgs_server.audit.write_once import WriteOnce, WriteOnceFolder
from rgs_server.config import Config, ConfigError


def place_of(config: Config) -> WriteOnce | None:
    """The place where checkpoints and exports are written once; None: nowhere. Raises ConfigError."""
    if not config.audit_place:
        return None
    if not config.audit_place.startswith("s3://"):
        return WriteOnceFolder(Path(config.audit_place))
    try:
        from rgs_server.audit.locked_bucket import LockedBucket
    except ImportError:
        raise ConfigError("RGS_AUDIT_PLACE is a bucket: install 'rgs-core[s3]'") from None
    return LockedBucket(config.audit_place, config.audit_keep_days)
