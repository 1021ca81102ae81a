"""Calibration: distance thresholds at stated rates of false matches."""
