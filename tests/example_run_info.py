"""The record of an invented run."""

from litemedsam.engine.reporting.run_info import RunInfo

INFO = RunInfo(
    litemedsam="0", python="3", numpy="2", backend="openvino", backend_version="1", machine="m", bundle="folder",
    default_model=False, model="a model", model_description="untrained", weights_sha256="ab" * 32,
    weights_storage="half", precision="f32", precision_reason="was asked for", protocol="corrected", threads=2,
    seed=0, seconds_to_load=0.5,
)  # fmt: skip
