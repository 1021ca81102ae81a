"""Calibration: how often the answers of one collection are right, measured."""
