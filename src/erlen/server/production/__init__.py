"""The production server behind ``erlen serve``: a master, and workers that run Granian."""
