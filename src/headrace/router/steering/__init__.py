"""Content steering, for HLS and DASH alike: where a player that plays is to get the rest."""
