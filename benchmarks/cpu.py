"""CPU spent by the parts under measurement: the one figure that a busy machine hardly changes."""

import psutil


def cpu_seconds() -> float:
    """CPU time so far of every process this one has started and that still lives, theirs included."""
    total = 0.0
    for process in psutil.Process().children(recursive=True):
        try:
            spent = process.cpu_times()
        except psutil.NoSuchProcess:
            continue
        total += spent.user + spent.system + spent.children_user + spent.children_system
    return total
