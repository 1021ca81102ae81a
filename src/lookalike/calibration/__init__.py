"""Thresholds by measurement: radii at stated rates of false matches."""
