"""Distances on the globe. Pure."""

from __future__ import annotations

import math

EARTH_RADIUS_KM = 6371.0088


def distance_km(
    latitude: float, longitude: float, other_latitude: float, other_longitude: float
) -> float:
    """Return the length of the great circle between two places, of coordinates in degrees."""
    north, other_north = math.radians(latitude), math.radians(other_latitude)
    half_north = math.sin((other_north - north) / 2)
    half_east = math.sin(math.radians(other_longitude - longitude) / 2)
    # The haversine: exact for short ways too. Rounding may bring it above 1 for antipodes.
    square = half_north * half_north + math.cos(north) * math.cos(other_north) * half_east**2
    return 2 * EARTH_RADIUS_KM * math.asin(math.sqrt(min(1.0, square)))
