"""A cluster of two workers on this machine, one for all tests; without Spark or Java they are skipped.

Where VXLANPKT_REQUIRE_SPARK is set they fail instead.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from typing import Any

import pytest

REQUIRED = os.environ.get("VXLANPKT_REQUIRE_SPARK") == "1"


@pytest.fixture(scope="session", autouse=True)
def pyspark() -> None:
    """Its Python half, which needs no Java."""
    if not REQUIRED:
        pytest.importorskip("pyspark.sql.datasource")
        pytest.importorskip("fsspec")


@pytest.fixture(scope="session")
def bucket() -> Iterator[Any]:
    """Puts files into a bucket of an object store on this machine that speaks S3; None without moto and s3fs."""
    if not REQUIRED and not (find_spec("moto") and find_spec("s3fs")):
        yield None
        return
    import s3fs
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    with pytest.MonkeyPatch.context() as patched:
        for name, value in {
            "AWS_ENDPOINT_URL": f"http://{host}:{port}", "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_ACCESS_KEY_ID": "any", "AWS_SECRET_ACCESS_KEY": "any",
        }.items():  # fmt: skip
            patched.setenv(name, value)
        store = s3fs.S3FileSystem()
        store.mkdir("captures")

        def put(name: str, data: bytes) -> str:
            store.pipe_file(f"captures/{name}", data)
            return f"s3://captures/{name}"

        yield put
    server.stop()


@pytest.fixture(scope="session")
def spark(tmp_path_factory: pytest.TempPathFactory, bucket: Any) -> Iterator[Any]:
    """A session that knows the data source, and lets it take conditions; its workers reach the object store."""
    if not REQUIRED and shutil.which("java") is None and "JAVA_HOME" not in os.environ:
        pytest.skip("Spark needs Java")
    from pyspark.sql import SparkSession

    from vxlanpkt.spark import VXLANDataSource

    folder = tmp_path_factory.mktemp("spark")
    settings = {
        "spark.executor.memory": "512m", "spark.driver.memory": "512m", "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false", "spark.sql.shuffle.partitions": "2", "spark.task.maxFailures": "1",
        "spark.sql.session.timeZone": "UTC", "spark.sql.python.filterPushdown.enabled": "true",
        "spark.local.dir": str(folder),
    }  # fmt: skip
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("PYSPARK_PYTHON", sys.executable)
        patched.setenv("SPARK_LOCAL_IP", "127.0.0.1")
        patched.setenv("SPARK_WORKER_DIR", str(folder))
        patched.chdir(folder)  # where Spark writes what it writes
        builder = SparkSession.builder.master("local-cluster[2,1,2048]")
        for name, value in settings.items():
            builder = builder.config(name, value)
        session = builder.getOrCreate()
        session.sparkContext.setLogLevel("OFF")
        session.dataSource.register(VXLANDataSource)
        yield session
        session.stop()
