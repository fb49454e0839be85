"""How a benchmark prints: rows of name, value, baseline, ratio, and whether the goal is reached."""

from dataclasses import dataclass, field


@dataclass
class Report:
    """Rows under a title; ``print`` it when all are there."""

    title: str
    rows: list[tuple[str, str, str]] = field(default_factory=list)

    def row(self, name: str, value: str, goal: str = "") -> None:
        """Add one row and show it at once, since the next may take minutes."""
        if not self.rows:
            print(f"\n== {self.title}", flush=True)
        self.rows.append((name, value, goal))
        print(f"   {name:<58} {value:>22}   {goal}", flush=True)


def verdict(reached: bool, goal: str) -> str:
    """Return the goal with a mark."""
    return f"{'reached' if reached else 'MISSED '}  (goal: {goal})"


def percentile(values: list[float], share: float) -> float:
    """Return the value below which ``share`` of the values lie (nearest rank)."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]
