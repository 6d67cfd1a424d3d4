"""``python -m bitlif``: the same as the ``bitlif`` command."""

from bitlif.scripts.main import main

raise SystemExit(main())
