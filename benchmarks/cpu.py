"""CPU spent by the parts under measurement: the one figure that a busy machine hardly changes."""

import psutil


def cpu_seconds(process: psutil.Process | None = None) -> float:
    """CPU time so far of everything below a process that still lives, what ended there included; ours by default."""
    return sum(map(_spent, (process or psutil.Process()).children(recursive=True)))


def cpu_seconds_of(parts: dict[str, int]) -> dict[str, float]:
    """CPU time so far of each of these processes, with everything below it."""
    found = {name: psutil.Process(pid) for name, pid in parts.items()}
    return {name: _spent(process) + cpu_seconds(process) for name, process in found.items()}


def _spent(process: psutil.Process) -> float:
    try:
        spent = process.cpu_times()
    except psutil.NoSuchProcess:
        return 0.0
    return float(spent.user + spent.system + spent.children_user + spent.children_system)
