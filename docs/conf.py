"""How the docs are built: `make docs`."""

project = "rediagnose"
author = copyright = "The rediagnose authors"
extensions = ["myst_parser"]
myst_heading_anchors = 3
html_theme = "furo"
html_title = "rediagnose"
html_copy_source = False
html_show_sourcelink = False
nitpicky = True
exclude_patterns = ["_build"]
