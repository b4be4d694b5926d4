"""Who evaluates: the driver itself, simulated workers, processes of this machine, a Dask cluster.

Entered through ``protocol.Workers``. A worker has no database, and no state but cached images.
"""
