"""A bucket of an S3-compatible store with object lock, as a place that takes each name once.

Objects are written only where there is none (`If-None-Match`) and locked in compliance mode, in which not even the owner of
the bucket can delete or change a version before its time. Who and where is said the way that boto3 has: AWS_ACCESS_KEY_ID,
AWS_SECRET_ACCESS_KEY, AWS_REGION, AWS_ENDPOINT_URL, or a role of the machine.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
from base64 import b64encode
from datetime import UTC, datetime, timedelta

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from rgs_server.audit.write_once import AlreadyWritten
from rgs_server.config import ConfigError

ADDRESS = re.compile(r"s3://([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])(?:/(.*))?")


class LockedBucket:
    """Keeps what it is given for `keep_days`."""

    def __init__(self, address: str, keep_days: int) -> None:
        """`address`: s3://bucket/prefix. Raises ConfigError where it is none, or where its bucket locks nothing."""
        match = ADDRESS.fullmatch(address)
        if match is None:
            raise ConfigError(f"RGS_AUDIT_PLACE: '{address}' is not like s3://bucket/prefix")
        self._bucket, prefix = match[1], (match[2] or "").strip("/")
        self._prefix = f"{prefix}/" if prefix else ""
        self._keep = timedelta(days=keep_days)
        try:
            self._client = boto3.client("s3")
            found = self._client.get_object_lock_configuration(Bucket=self._bucket)
            locks = found["ObjectLockConfiguration"].get("ObjectLockEnabled") == "Enabled"
        except (BotoCoreError, ClientError, ValueError) as error:
            raise ConfigError(f"RGS_AUDIT_PLACE: {address} cannot be used: {error}") from None
        if not locks:
            raise ConfigError(f"RGS_AUDIT_PLACE: the bucket {self._bucket} does not lock objects; make one that does")

    async def put(self, name: str, body: bytes) -> None:
        await asyncio.to_thread(self._put, name, body)

    def _put(self, name: str, body: bytes) -> None:
        key = self._prefix + name
        try:
            self._client.put_object(
                Bucket=self._bucket,
                Key=key,
                Body=body,
                IfNoneMatch="*",
                ContentMD5=b64encode(hashlib.md5(body, usedforsecurity=False).digest()).decode(),  # locks ask for it
                ObjectLockMode="COMPLIANCE",
                ObjectLockRetainUntilDate=(datetime.now(UTC) + self._keep).replace(microsecond=0),
            )
        except ClientError as error:
            if error.response["ResponseMetadata"]["HTTPStatusCode"] != 412:
                raise OSError(f"s3://{self._bucket}/{key}: {error}") from None
            if self._client.get_object(Bucket=self._bucket, Key=key)["Body"].read() != body:
                raise AlreadyWritten(f"s3://{self._bucket}/{key} holds something else") from None
        except BotoCoreError as error:
            raise OSError(f"s3://{self._bucket}/{key}: {error}") from None
