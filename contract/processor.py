"""What is known of this machine's processor. Whatever only Linux tells about it is asked here, and nowhere else.

Linux describes x86 (`flags`, `model name`) and arm (`Features`, and numbers for a name) in different words. macOS and
others have neither its file nor its count of a process's cores: there, answers say less and nothing fails.
"""

from __future__ import annotations

import os
import platform
import sys
from pathlib import Path

CPU_INFO = Path("/proc/cpuinfo")


def usable_cores() -> int:
    """Cores that this process may use: on Linux those of its affinity, elsewhere all of the machine's."""
    if sys.platform == "linux":
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def flags(cpu_info: Path = CPU_INFO) -> frozenset[str]:
    """Instruction sets of the first processor, in Linux's names; empty where Linux does not say."""
    described = _first_processor(cpu_info)
    return frozenset(described.get("flags", described.get("Features", "")).split())


def name(cpu_info: Path = CPU_INFO) -> str:
    """The processor's name for people; on arm what its maker and part are numbered, for Linux has no name for it."""
    described = _first_processor(cpu_info)
    if "model name" in described:
        return described["model name"]
    if "CPU part" in described:
        return f"{platform.machine()}, implementer {described['CPU implementer']}, part {described['CPU part']}"
    return platform.processor() or platform.machine()


def _first_processor(cpu_info: Path) -> dict[str, str]:
    """The first paragraph of the file, {"model name": "…", "flags": "…"}; empty where there is no such file."""
    try:
        text = cpu_info.read_text(encoding="utf-8")
    except OSError:
        return {}
    pairs = (line.partition(":") for line in text.partition("\n\n")[0].splitlines())
    return {key.strip(): value.strip() for key, _, value in pairs}
