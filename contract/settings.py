"""Settings that several services share, parsed once at start from `RETORT_*` environment variables.

A secret may also be given as a file: `RETORT_REDIS_PASSWORD_FILE=/run/secrets/redis`.
A bad value stops the program and names the variable. docs/operations.md lists every setting; a test holds it to that.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Self

from pydantic import Field, SecretStr, ValidationError, ValidationInfo, field_validator
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, SettingsConfigDict

from contract.errors import BadSettings
from contract.hints import nearest
from contract.redis_address import RedisAddress, parse_address
from contract.selection import Selection
from contract.store_url import ModelsPlace
from contract.webhook_hosts import WebhookHosts

PREFIX = "RETORT_"
MISSPELT = 0.85
"""A variable that is so like a setting (0 to 1) was meant to be it. No two settings are so like each other."""
LEAST_BEATS = 2
"""Heartbeats that fit into their time to live, so that one may be late."""


class SharedSettings(BaseSettings):
    """What every service needs to find Redis and the models."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, extra="ignore")

    redis_url: str = Field(
        default="redis://127.0.0.1:6379/0", description="Redis, as redis://, rediss:// or redis+sentinel://"
    )
    redis_password: SecretStr | None = Field(default=None, description="added to the URL when set")
    redis_sentinel_user: str | None = Field(default=None, description="of the Sentinels, if they want one")
    redis_sentinel_password: SecretStr | None = Field(default=None, description="of the Sentinels, if they want one")
    redis_sentinel_tls: bool | None = Field(
        default=None, description="whether the Sentinels speak TLS; as Redis does if not given"
    )
    redis_replicas: int = Field(
        default=0,
        ge=0,
        description="replicas that must have a job before it is accepted, and results before they count",
    )
    models_dir: ModelsPlace = Field(
        default=Path("models"), description="the volume of model artifacts, or s3://, gs:// or az:// with a bucket"
    )
    models_cache_dir: Path = Field(
        default=Path("run/models"),
        description="folder that each service fetches models to, where they are in a bucket",
    )
    models_cache_mb: float = Field(
        default=0.0, ge=0, description="MiB of fetched models at most: those beyond are left out, and said; 0: no bound"
    )
    models_follow_s: float = Field(default=2.0, gt=0, description="seconds between two looks at the bucket")
    model: str = Field(
        default="default",
        description="models that a worker serves, with commas between them, `*` for all on the volume; a request that "
        "names none goes to the first, with `*` alone to `default`",
    )
    log_level: str = Field(default="INFO", pattern="^(DEBUG|INFO|WARNING|ERROR)$", description="least level logged")

    api_keys_file: Path | None = Field(default=None, description="API keys, as TOML; without it nobody needs a key")
    webhook_hosts: str = Field(
        default="", description="hosts that webhooks go to, with commas between them, `*.NAME` for all below a name"
    )
    webhook_private_hosts: str = Field(
        default="", description="hosts that webhooks go to even at private addresses, and by http"
    )

    traces_url: str | None = Field(default=None, description="where OpenTelemetry traces go, over HTTP; off without it")

    result_ttl_s: int = Field(default=3600, ge=1, description="how long an ended job can be read")
    dead_letter_ttl_s: int = Field(default=604_800, ge=1, description="how long a job with dead letters is kept")
    max_attempts: int = Field(default=5, ge=1, description="failed attempts that make a chunk a dead letter")
    chunk_texts: int = Field(default=64, ge=1, le=4096, description="texts of a chunk at most")
    heartbeat_s: float = Field(default=1.0, gt=0, description="seconds between two heartbeats of a worker")
    heartbeat_ttl_s: float = Field(default=5.0, gt=0, description="a worker silent for longer is taken for dead")

    @field_validator("redis_url")
    @classmethod
    def is_an_address(cls, url: str) -> str:
        parse_address(url)
        return url

    @property
    def redis_address(self) -> RedisAddress:
        """Where Redis is, with its password."""
        return parse_address(self.redis_url, self.redis_password.get_secret_value() if self.redis_password else None)

    @field_validator("webhook_hosts", "webhook_private_hosts")
    @classmethod
    def are_hosts(cls, text: str) -> str:
        WebhookHosts.parse(text, "")
        return text

    @property
    def webhooks_allowed(self) -> WebhookHosts:
        """Where webhooks may go."""
        return WebhookHosts.parse(self.webhook_hosts, self.webhook_private_hosts)

    @field_validator("model")
    @classmethod
    def is_a_selection(cls, text: str) -> str:
        return str(Selection.parse(text))

    @property
    def selection(self) -> Selection:
        """What RETORT_MODEL says."""
        return Selection.parse(self.model)

    @property
    def default_model(self) -> str:
        """The model of requests and commands that name none."""
        return self.selection.default

    @field_validator("heartbeat_ttl_s")
    @classmethod
    def outlives_a_heartbeat(cls, ttl_s: float, info: ValidationInfo) -> float:
        if ttl_s < LEAST_BEATS * info.data.get("heartbeat_s", 0.0):
            raise ValueError(
                f"{ttl_s:g} is less than {LEAST_BEATS} times RETORT_HEARTBEAT_S: live workers would be taken for dead"
            )
        return ttl_s

    @classmethod
    def load(cls) -> Self:
        """The settings of this process's environment. Raises BadSettings, which names each bad variable."""
        _refuse_misspelt(cls)
        try:
            return cls.model_validate(_secrets_from_files(cls))
        except ValidationError as error:
            lines = [
                f"{_variable(issue['loc'])}: {issue['msg']}" if issue["loc"] else issue["msg"]
                for issue in error.errors()
            ]
            raise BadSettings("\n".join(lines)) from error


def _located(location: tuple[int | str, ...]) -> str:
    """What an error's message begins with. One of no single variable, such as a contradiction, names its own."""
    return f"{_variable(location)}: " if location else ""


def _variable(location: tuple[int | str, ...]) -> str:
    return PREFIX + "_".join(str(part) for part in location).upper()


def _refuse_misspelt(settings: type[SharedSettings]) -> None:
    """A variable of no setting may be another service's, unless it is nearly one of these. Raises BadSettings."""
    fields = settings.model_fields.items()
    known = {_variable((name,)) for name, _ in fields} | {
        _file_variable(name) for name, field in fields if _is_secret(field)
    }
    given = {variable.upper() for variable in os.environ if variable.upper().startswith(PREFIX)}
    near = {
        name: nearest(name.removeprefix(PREFIX), (one.removeprefix(PREFIX) for one in known), MISSPELT)
        for name in sorted(given - known)
    }
    lines = [
        f"{name}: there is no such setting: did you mean {PREFIX}{meant}?" for name, meant in near.items() if meant
    ]
    if lines:
        raise BadSettings("\n".join(lines))


def _is_secret(field: FieldInfo) -> bool:
    return field.annotation == SecretStr | None


def _file_variable(name: str) -> str:
    return f"{_variable((name,))}_FILE"


def _secrets_from_files(settings: type[SharedSettings]) -> dict[str, str]:
    found = {}
    for name, field in settings.model_fields.items():
        variable = _file_variable(name)
        if _is_secret(field) and (path := os.environ.get(variable)):
            try:
                found[name] = Path(path).read_text(encoding="utf-8").strip()
            except OSError as error:
                raise BadSettings(f"{variable}: {path}: {error.strerror}") from error
    return found
