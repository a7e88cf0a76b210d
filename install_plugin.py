"""Put AFM super-resolution into Gwyddion's menu; the same as ``afmsr plugin install``."""

import sys

from gwyddion_plugin.installing.__main__ import main

if __name__ == "__main__":
    sys.exit(main())
