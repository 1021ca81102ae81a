"""Code that only the paper needs: data sets, protocols, runs, tables, figures. Run from a clone; not in the wheel."""
