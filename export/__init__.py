"""From a PyTorch checkpoint to an ONNX bundle: rewrite, write, verify."""
