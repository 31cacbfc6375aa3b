"""Which libraries can compute here, and each one's encoders."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Literal

from contract.artifact import Manifest
from contract.errors import BadSettings
from encoders.precision import cpu_multiplies_bfloat16
from encoders.weights import ClassifierWeights
from worker.engine import precision as precisions
from worker.engine.encoder import Encoder, Runtime
from worker.engine.precision import Precision
from worker.engine.tensorflow_encoder import TensorFlowEncoder
from worker.engine.tensorflow_env import tf

RuntimeChoice = Literal["auto", "tensorflow", "openvino"]


def on_gpu() -> bool:
    return bool(tf.config.list_physical_devices("GPU"))


def available(choice: RuntimeChoice = "auto") -> list[Runtime]:
    """The likely fastest first. Raises BadSettings when `choice` is one that can't compute here."""
    if choice == "tensorflow" or (choice == "auto" and on_gpu()):
        return ["tensorflow"]
    if find_spec("openvino"):
        if on_gpu():
            raise BadSettings("RETORT_RUNTIME: openvino computes on the CPU, and this worker has a GPU")
        return ["openvino"] if choice == "openvino" else ["openvino", "tensorflow"]
    if choice == "openvino":
        raise BadSettings("RETORT_RUNTIME: openvino is not installed")
    return ["tensorflow"]


def kinds(runtime: RuntimeChoice, precision: precisions.Choice) -> list[tuple[Runtime, Precision]]:
    """Runtimes in precisions that are worth a try, the likely fastest first."""
    return [
        (each, narrowed)
        for narrowed in precisions.candidates(on_gpu(), precision)
        for each in available(runtime)
        if each == "tensorflow" or _openvino_has(narrowed)
    ]


def encoder(runtime: Runtime, weights: ClassifierWeights, manifest: Manifest, precision: Precision) -> Encoder:
    architecture, activation = manifest.architecture, manifest.activation
    if runtime == "tensorflow":
        return TensorFlowEncoder(
            weights, architecture, activation=activation, precision=precision, compile_with_xla=on_gpu()
        )
    from worker.engine.openvino_encoder import OpenVinoEncoder  # installed where `available` says so

    threads = tf.config.threading.get_intra_op_parallelism_threads()  # 0 for all cores
    return OpenVinoEncoder(weights, architecture, activation=activation, precision=precision, threads=threads)


def _openvino_has(precision: Precision) -> bool:
    """Where the processor has no instructions for it, OpenVINO would compute in float32 and not say so."""
    return precision == "float32" or (precision == "bfloat16" and cpu_multiplies_bfloat16())
