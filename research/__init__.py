"""What serves the paper alone: data sets, protocols, runs, tables, figures. Run from a clone; not in the wheel."""
