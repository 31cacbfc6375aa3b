"""Settings of training, from `RETORT_*` environment variables."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from contract.settings import SharedSettings


class TrainingSettings(SharedSettings):
    base_models_dir: Path = Field(default=Path("base_models"), description="where downloaded base models are kept")
    data_dir: Path = Field(default=Path("data"), description="where downloaded data sets are kept")
    checkpoint_s: float = Field(default=60.0, ge=0, description="seconds between two checkpoints of a run")
    logs_dir: Path = Field(default=Path("logs"), description="TensorBoard logs of the runs")
