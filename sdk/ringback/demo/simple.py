"""Three tasks to try things out with."""

import asyncio
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from ringback.job import Job
from ringback.task import task

_STEP_S = 0.5


class SleepRequest(BaseModel):
    """How long to sleep."""

    model_config = ConfigDict(extra="forbid")

    seconds: float = Field(ge=0, le=3_600, allow_inf_nan=False)


class Slept(BaseModel):
    """How long it slept."""

    seconds: float


class FailRequest(BaseModel):
    """How often to fail, and with which words."""

    model_config = ConfigDict(extra="forbid")

    times: int | None = Field(default=None, ge=0, description="How many attempts fail; absent: all.")
    message: str = Field(default="asked to fail", max_length=1_000)


class Recovered(BaseModel):
    """The attempt that did not fail."""

    attempt: int


@task("demo.echo", timeout_s=10)
async def echo(job: Job, payload: Any) -> Any:  # noqa: ARG001 - a task takes its job
    """Give back the payload."""
    return payload


@task("demo.sleep", timeout_s=3_600)
async def sleep(job: Job, payload: SleepRequest) -> Slept:
    """Sleep, and tell how far it is."""
    slept_s = 0.0
    while slept_s < payload.seconds:
        await job.progress(slept_s / payload.seconds, f"{slept_s:g} of {payload.seconds:g} s")
        step_s = min(_STEP_S, payload.seconds - slept_s)
        await asyncio.sleep(step_s)
        slept_s += step_s
    return Slept(seconds=payload.seconds)


@task("demo.fail", timeout_s=10)
async def fail(job: Job, payload: FailRequest) -> Recovered:
    """Fail on every attempt, or only on the first few."""
    if payload.times is None or job.attempt <= payload.times:
        raise ValueError(payload.message)
    return Recovered(attempt=job.attempt)
