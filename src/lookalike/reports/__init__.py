"""Reports as HTML pages: charts, markup and style."""
