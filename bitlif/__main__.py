"""``python -m bitlif``: the same as the ``bitlif`` command."""

import os
import sys
from pathlib import Path

# Python has put the current directory first on the import path, where a file may have the name of
# a package that we need. It stays only if bitlif itself is there.
here = Path(__file__).absolute().parent.parent
if not sys.flags.safe_path and sys.path[0] == os.getcwd() != str(here):  # noqa: PTH109
    del sys.path[0]

from bitlif.scripts.main import main  # noqa: E402

raise SystemExit(main())
