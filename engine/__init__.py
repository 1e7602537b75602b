"""Bundle to masks, on the CPU. Nothing in here imports torch or onnx."""
