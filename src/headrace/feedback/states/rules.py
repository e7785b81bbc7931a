"""What version 1 goes by: thresholds, with defaults for probes each second."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class StateRules:
    """The rules of states. `observers` are the names of all configured ones: what others say does
    not count. Counts of probes are in a row; shares are from 0 to 1.

    A server failed when a quorum has seen `failures` failed probes, `refusals` that were refused,
    or `slow` that were slow; an observer that decides alone must have seen `alone` more. It
    returns after `successes`, its weight from `ramp_from` to 1 in `ramp_steps` over `ramp_s`.

    A full server's weight is lowered to `full_floor` of it at least, and raised by `full_step` at
    a time; both only when nothing more has come of the last change for `full_wait_s`. At once it is
    lowered to `full_cut` of what it was at most. Each time that raising it made it full again, it
    waits twice as long, to `full_longest_wait_s`; half of that is forgotten in `full_half_life_s`.

    A server that has announced none of its VIPs for `vips_away_s` gets no new clients; what it says
    of that counts for `vips_age_s`.
    """

    observers: tuple[str, ...]
    observer_age_s: float = 3.0
    probe_age_s: float = 3.5
    report_age_s: float = 10.0
    failures: int = 2
    refusals: int = 1
    slow: int = 5
    alone: int = 1
    lossy: float = 0.3
    clear: int = 2
    successes: int = 5
    unsound: float = 0.5

    ramp_s: float = 60.0
    ramp_from: float = 0.1
    ramp_steps: int = 10
    ramp_new: bool = True

    flap_penalty: float = 1000.0
    half_life_s: float = 300.0
    suppress: float = 2500.0
    reuse: float = 750.0
    longest_suppress_s: float = 1800.0

    full_above: float = 0.95
    full_below: float = 0.85
    full_after_s: float = 2.0
    full_release_s: float = 5.0
    full_wait_s: float = 10.0
    full_step: float = 0.05
    full_floor: float = 0.1
    full_cut: float = 0.7
    full_longest_wait_s: float = 300.0
    full_half_life_s: float = 1800.0

    busy: float = 0.5
    busy_cpu: float = 0.9
    busy_age_s: float = 3.0

    floor: float = 0.5
    floor_dead: float = 0.0
    mass: float = 0.5
    mass_least: int = 3
    mass_window_s: float = 30.0
    mass_undo_s: float = 3.0
    site_others: float = 0.34
    site_failures: int = 4

    vips_age_s: float = 10.0
    vips_away_s: float = 3.0

    others_asked: int = 5
    others_failed: float = 0.5
    others_least: int = 2
