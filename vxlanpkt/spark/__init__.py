"""Captures as a data source of Apache Spark: `spark.dataSource.register(VXLANDataSource)`, then format "vxlan"."""

try:
    from vxlanpkt.spark.data_source import VXLANDataSource as VXLANDataSource
except ModuleNotFoundError as error:
    missing = (error.name or "").partition(".")[0]
    if missing not in ("pyspark", "pyarrow"):
        raise
    raise ImportError(f"captures in Spark need {missing}: pip install 'vxlanpkt[spark]'") from None

__all__ = ["VXLANDataSource"]
