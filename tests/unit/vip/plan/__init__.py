"""Tests of the plan of announcements."""
