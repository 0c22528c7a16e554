"""What every room uses: errors, tables, results, files, progress."""

import sys

# Another project's distribution `pyexpr` has replaced the package's first file, or removed it.
if not hasattr(sys.modules[__name__.partition(".")[0]], "_PUBLIC"):
    from pyexpr.base.installation import warn_of_another

    warn_of_another()
