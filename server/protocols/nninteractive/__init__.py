"""The part of nnInteractive's protocol, version 2, that its extensions for 3D Slicer and napari use.

Facts of the protocol: MIC-DKFZ/nnInteractive, client/nnInteractive/inference/remote.
"""
