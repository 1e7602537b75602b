"""What a file says of a scan: voxels, geometry, intensities."""
