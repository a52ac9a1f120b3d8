"""Measures the promises' figures: `python -m tests.promises NAME…` or `all`; exit code 1 where one is missed."""

import sys

from tests.promises import durable, working

FIGURES = {
    "p1": durable.acknowledged_writes,
    "p3": working.dead_workers,
    "p4": working.outage,
    "p5": durable.exact_budgets,
    "p9": working.replays,
    "p10": durable.ready_again,
    "p12": working.wasted_work,
    "p13": working.idle_trials,
    "poison": working.poison,
    "clocks": working.clock_jumps,
    "hang": durable.hanging_database,
}


def main(names):
    """Measure, print a line each, and say whether all are met."""
    unknown = set(names) - {*FIGURES, "all"}
    if unknown or not names:
        print(f"usage: python -m tests.promises all | {' '.join(FIGURES)}", file=sys.stderr)
        return 2
    chosen = FIGURES if "all" in names else {name: FIGURES[name] for name in names}
    met = []
    for measure in chosen.values():
        figure = measure()
        print(figure, flush=True)
        met.append(figure.passed)
    return 0 if all(met) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
