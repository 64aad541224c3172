"""Where leases are kept: in a directory, or in etcd."""
