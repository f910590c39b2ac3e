"""Places that take each name once: a folder, and a bucket with object lock of a real S3 server over HTTP."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from moto.server import ThreadedMotoServer
from rgs_server.audit.places import place_of
from rgs_server.audit.write_once import AlreadyWritten, WriteOnceFolder
from rgs_server.config import Config, ConfigError, environment_of
from service_process import Service, free_port, run, wait_for


@pytest.fixture(scope="module")
def bucket() -> Iterator[Any]:
    """A client of the server, whose bucket `locked` locks objects and whose bucket `plain` does not."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    host, port = server.get_host_and_port()
    with pytest.MonkeyPatch.context() as patched:
        for name, value in (
            ("AWS_ENDPOINT_URL", f"http://{host}:{port}"), ("AWS_DEFAULT_REGION", "us-east-1"),
            ("AWS_ACCESS_KEY_ID", "test"), ("AWS_SECRET_ACCESS_KEY", "test"), ("AWS_EC2_METADATA_DISABLED", "true"),
        ):  # fmt: skip
            patched.setenv(name, value)
        client = boto3.client("s3")
        client.create_bucket(Bucket="locked", ObjectLockEnabledForBucket=True)
        client.create_bucket(Bucket="plain")
        yield client
    server.stop()


def test_a_folder_takes_each_name_once(tmp_path: Path) -> None:
    place = WriteOnceFolder(tmp_path)
    run(place.put("a/b.txt", b"one"))
    run(place.put("a/b.txt", b"one"))
    with pytest.raises(AlreadyWritten):
        run(place.put("a/b.txt", b"two"))
    assert (tmp_path / "a/b.txt").read_bytes() == b"one"
    assert (tmp_path / "a/b.txt").stat().st_mode & 0o777 == 0o444
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == ["b.txt"]
    for name in ("../x", "/x", ""):
        with pytest.raises(ValueError, match="no name"):
            run(place.put(name, b""))


def test_a_bucket_takes_each_name_once_and_gives_nothing_up(bucket: Any) -> None:
    place = place_of(Config(audit_place="s3://locked/studio", audit_keep_days=400))
    assert place is not None
    run(place.put("a/b.txt", b"one"))
    run(place.put("a/b.txt", b"one"))
    with pytest.raises(AlreadyWritten):
        run(place.put("a/b.txt", b"two"))
    (version,) = bucket.list_object_versions(Bucket="locked", Prefix="studio/a/")["Versions"]
    name = {"Bucket": "locked", "Key": "studio/a/b.txt", "VersionId": version["VersionId"]}
    with pytest.raises(ClientError, match="AccessDenied"):
        bucket.delete_object(**name)
    found = bucket.get_object(**name)
    assert (found["Body"].read(), found["ObjectLockMode"]) == (b"one", "COMPLIANCE")


@pytest.mark.parametrize(
    ("address", "message"),
    [
        ("s3://plain", "ObjectLock"),
        ("s3://nobody-has-this", "NoSuchBucket"),
        ("s3://", "is not like"),
        ("s3://A/b", "is not like"),
    ],
)
def test_buckets_that_lock_nothing_are_refused(bucket: Any, address: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        place_of(Config(audit_place=address))


def test_a_service_publishes_its_checkpoints_there(bucket: Any, tmp_path: Path) -> None:
    running = Service(tmp_path, workers=1, checkpoint_s=1, audit_place="s3://locked/service")
    running.start()
    try:
        wait_for(lambda: bucket.list_objects_v2(Bucket="locked", Prefix="service/").get("KeyCount", 0) > 0)
        (first, *_) = bucket.list_objects_v2(Bucket="locked", Prefix="service/")["Contents"]
        note = bucket.get_object(Bucket="locked", Key=first["Key"])["Body"].read().decode()
        assert note in [row["note"] for row in run(running.fetch("SELECT note FROM audit_checkpoints"))]
    finally:
        assert running.stop() == 0
        running.remove()


def test_a_service_does_not_start_without_its_place(bucket: Any, tmp_path: Path) -> None:
    config = replace(Config(), data_dir=str(tmp_path), port=free_port(), workers=1, audit_place="s3://plain/x")
    environment = {name: value for name, value in os.environ.items() if not name.startswith("RGS_")}
    process = subprocess.Popen(
        [sys.executable, "-m", "rgs_server", "serve"], env=environment | environment_of(config), stderr=subprocess.PIPE
    )
    try:
        _, said = process.communicate(timeout=60)
    finally:
        process.kill()
        Service(tmp_path).remove()
    assert process.returncode == 2
    assert b"RGS_AUDIT_PLACE" in said
