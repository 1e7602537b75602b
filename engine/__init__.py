"""The engine: from a bundle and a scan to masks, on the CPU, without torch and onnx. Its rooms, from the top down:

`cli`
    The command ``litemedsam-infer``.
`segment`
    Files in, masks out, from Python.
`running`
    Many cases: one way through a scan, processes, resumed runs.
`reporting`
    Reports, tables, pages and pictures of a run.
`predictor`
    Arrays in, masks out, from Python.
`sessions`
    An opened image or volume, encoded once and queried often.
`objects`
    The objects to segment: boxes, points, strokes and masks.
`io`
    One file format each.
`inference`
    Frame → embedding → logits → mask, and from slice to slice.
`scan`
    A scan as its file holds it; geometry and intensities.
`backends`
    One runtime each.
`bundle`
    A model at rest: metadata, checksums, accuracy card, precisions.
`case`
    The arrays of a case, checked.
`settings`
    The settings of a predictor.
`system`
    Processors, memory, signals and optional libraries.
"""
