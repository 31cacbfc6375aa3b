"""The worker's own settings; see contract/settings.py for how they are read."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field

from contract import windows
from contract.settings import SharedSettings


class WorkerSettings(SharedSettings):
    """What one worker process needs to know."""

    precision: Literal["auto", "float32", "bfloat16", "float16"] = Field(
        default="auto", description="number format of the matrix products; auto measures those that answer rightly"
    )
    runtime: Literal["auto", "tensorflow", "openvino"] = Field(
        default="auto", description="what computes on the CPU: tensorflow, openvino, or the faster of those installed"
    )
    batch_tokens: int = Field(default=0, ge=0, description="tokens of a batch at most; 0 for what suits the device")
    max_age_s: float = Field(
        default=2.0, gt=0, description="a bulk text that has waited longer gets every second batch"
    )
    interactive_tokens: int = Field(
        default=0, ge=0, description="interactive tokens that wait in a worker; 0 for what suits the device"
    )
    bulk_tokens: int = Field(
        default=0, ge=0, description="bulk tokens that wait in a worker; 0 for what suits the device"
    )
    max_windows: int = Field(default=windows.MOST, ge=1, description="windows that a long text is read in at most")
    answer_cache_mb: int = Field(
        default=64, ge=0, description="MiB for answers to texts that may come again; 0 computes each text anew"
    )
    messages: int = Field(default=64, ge=1, description="messages a worker holds at most")
    watchdog_s: float = Field(default=5.0, gt=0, description="a batch that runs longer counts as a hung device")
    reload_s: float = Field(default=1.0, gt=0, description="seconds between two looks at the models")
    models_mb: float = Field(
        default=0.0, ge=0, description="MiB of weights in memory at most: those not used for longest go; 0: all stay"
    )
    sweep_s: float = Field(default=1.0, gt=0, description="seconds between two sweeps for lost chunks")
    metrics_port: int = Field(default=0, ge=0, le=65535, description="port of the worker's /metrics; 0 for none")
    metrics_bind: str = Field(default="127.0.0.1", description="address of the worker's /metrics")
    device: Literal["auto", "cpu", "gpu"] = Field(default="auto", description="auto takes a free GPU, else the CPU")
    claims_dir: Path = Field(default=Path("run/claims"), description="folder that the host's workers share for claims")
    cpu_threads: int = Field(default=0, ge=0, description="threads of a batch on the CPU; 0 for all cores it may use")
