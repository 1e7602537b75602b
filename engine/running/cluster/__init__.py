"""Cases worked on by the workers of a Dask cluster."""
