"""Distances on the globe."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.topology.nearest import EARTH_RADIUS_KM, distance_km

_latitudes = st.floats(-90, 90)
_longitudes = st.floats(-180, 180)


@pytest.mark.parametrize(
    ("here", "there", "kilometres"),
    [
        ((0.0, 0.0), (0.0, 90.0), EARTH_RADIUS_KM * math.pi / 2),
        ((0.0, 0.0), (0.0, 180.0), EARTH_RADIUS_KM * math.pi),
        ((90.0, 0.0), (-90.0, 77.0), EARTH_RADIUS_KM * math.pi),
        ((90.0, 0.0), (90.0, 120.0), 0.0),
        ((0.0, 179.5), (0.0, -179.5), EARTH_RADIUS_KM * math.radians(1)),
        ((52.5200, 13.4050), (48.8566, 2.3522), 877.5),  # Berlin to Paris
        ((-33.8688, 151.2093), (40.7128, -74.0060), 15_988.8),  # Sydney to New York
    ],
)
def test_known_distances(
    here: tuple[float, float], there: tuple[float, float], kilometres: float
) -> None:
    assert distance_km(*here, *there) == pytest.approx(kilometres, rel=1e-3, abs=1e-6)


@given(_latitudes, _longitudes, _latitudes, _longitudes)
def test_there_and_back_is_as_far_and_never_farther_than_half_round(
    north: float, east: float, other_north: float, other_east: float
) -> None:
    there = distance_km(north, east, other_north, other_east)
    assert 0 <= there <= EARTH_RADIUS_KM * math.pi * (1 + 1e-12)
    assert distance_km(other_north, other_east, north, east) == pytest.approx(there, abs=1e-6)
