"""Captures as a data source of Apache Spark: `spark.dataSource.register(VXLANDataSource)`, then format "vxlan"."""

from vxlanpkt.spark.data_source import VXLANDataSource as VXLANDataSource

__all__ = ["VXLANDataSource"]
